package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed ui
var ui embed.FS

// file is a file of the page.
type file struct {
	body, zipped []byte
	kind, etag   string
}

// newFiles returns a handler that serves the files of the page.
func newFiles() http.Handler {
	files := map[string]*file{}
	err := fs.WalkDir(ui, "ui", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := ui.ReadFile(name)
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(name, "ui")] = newFile(name, body)
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	files["/"] = files["/index.html"]
	for name, parts := range joined {
		var body []byte
		for _, part := range parts {
			body = append(body, files[part].body...)
		}
		files[name] = newFile(name, body)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := files[r.URL.Path]
		if f == nil {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		f.serve(w, r)
	})
}

// joined are files that are served as one, because a request takes a browser longer
// than what it transfers.
var joined = map[string][]string{"/app.css": {"/palette.css", "/app.css"}}

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// comments returns expressions for the comments that have lines of their own, and for
// those with a type, by the suffix of the file. No text of the page looks like the latter.
var comments = sync.OnceValue(func() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		".js":  regexp.MustCompile(`(?m)^[ \t]*(//.*|/\*(?:[^*]|\*+[^*/])*\*+/[ \t]*)$|/\*\* @type (?:[^*\n]|\*+[^*/\n])*\*+/ ?`),
		".css": regexp.MustCompile(`(?m)^[ \t]*/\*(?:[^*]|\*+[^*/])*\*+/[ \t]*$`),
	}
})

// withoutComments returns a file of the page without its comments, which are an eighth
// of what a browser would load. Line numbers stay the same.
func withoutComments(name string, body []byte) []byte {
	re := comments()[path.Ext(name)]
	if re == nil {
		return body
	}
	return re.ReplaceAllFunc(body, func(comment []byte) []byte {
		return bytes.Repeat([]byte("\n"), bytes.Count(comment, []byte("\n")))
	})
}

func newFile(name string, body []byte) *file {
	body = withoutComments(name, body)
	sum := sha256.Sum256(body)
	f := &file{body: body, kind: kinds[path.Ext(name)], etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // the level is valid
	_, _ = z.Write(body)                                       // to memory
	_ = z.Close()                                              // likewise
	f.zipped = zipped.Bytes()
	return f
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // ask whether it has changed: another version may run here
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone
	}
}

// Package fakekibana is a fake of Kibana and OpenSearch Dashboards with the
// saved objects API. It validates requests as the real servers do, and rejects
// with 400 what they reject.
package fakekibana

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Options describe the server. The zero value is Kibana 6.4.0.
type Options struct {
	Version       string // of the product
	Dashboards    bool   // OpenSearch Dashboards
	BasePath      string // such as /kibana/s/ops
	Authorization string // required value of the header; empty: any
}

// Server is a running server. Its methods may be called by several goroutines.
type Server struct {
	*httptest.Server
	o Options

	mu      sync.Mutex
	objects map[string]json.RawMessage // attributes, by type/id
}

// types are the types of objects that can be created.
var types = []string{"index-pattern", "search", "visualization", "dashboard"}

// Start returns a server on a free port of the loopback interface.
func Start(o Options) *Server {
	if o.Version == "" {
		o.Version = "6.4.0"
	}
	s := &Server{o: o, objects: map[string]json.RawMessage{}}
	s.Server = httptest.NewServer(s)
	return s
}

// Objects returns the attributes of all objects, by type and ID: "dashboard/ktail".
func (s *Server) Objects() map[string]json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

// Edit replaces the attributes of an object, as a user would.
func (s *Server) Edit(key, attributes string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = json.RawMessage(attributes)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, s.o.BasePath)
	header := "kbn-xsrf"
	if s.o.Dashboards {
		header = "osd-xsrf"
		w.Header().Set("osd-name", "fake")
	}
	kibana6 := strings.HasPrefix(s.o.Version, "6.")
	switch post := r.Method == http.MethodPost; {
	case !ok:
		w.Header().Set("Location", s.o.BasePath+"/")
		w.WriteHeader(http.StatusFound)
	case s.o.Authorization != "" && r.Header.Get("Authorization") != s.o.Authorization:
		answer(w, http.StatusUnauthorized, fault("Unauthorized", "[security_exception] unable to authenticate"))
	case post && r.Header.Get(header) == "":
		answer(w, http.StatusBadRequest, fault("Bad Request", "Request must contain a "+header+" header."))
	case !post && path == "/api/status":
		answer(w, http.StatusOK, map[string]any{"version": map[string]any{"number": s.o.Version}})
	case post && path == "/api/saved_objects/_bulk_create" && kibana6:
		s.bulkCreate(w, r)
	case post && path == "/api/saved_objects/_import" && !kibana6:
		s.importObjects(w, r)
	default:
		answer(w, http.StatusNotFound, fault("Not Found", "Not Found"))
	}
}

// object is an object of a request.
type object struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	Attributes json.RawMessage `json:"attributes"`
}

// parse rejects unknown keys, as the real servers' schemas do.
func parse(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (s *Server) bulkCreate(w http.ResponseWriter, r *http.Request) {
	var objects []object
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return
	}
	if err := parse(body.Bytes(), &objects); err != nil {
		answer(w, http.StatusBadRequest, fault("Bad Request", err.Error()))
		return
	}
	results := []any{}
	for _, o := range objects {
		result := map[string]any{"type": o.Type, "id": o.ID}
		switch message := s.create(o, r); message {
		case "":
		case conflict:
			result["error"] = map[string]any{"statusCode": http.StatusConflict, "message": "version conflict, document already exists"}
		default:
			result["error"] = map[string]any{"statusCode": http.StatusBadRequest, "message": message}
		}
		results = append(results, result)
	}
	answer(w, http.StatusOK, map[string]any{"saved_objects": results})
}

func (s *Server) importObjects(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		answer(w, http.StatusBadRequest, fault("Bad Request", `child "file" fails because ["file" is required]`))
		return
	}
	if !strings.HasSuffix(header.Filename, ".ndjson") {
		answer(w, http.StatusBadRequest, fault("Bad Request", "Invalid file extension "+header.Filename))
		return
	}
	created, errs := 0, []any{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o object
		if err := parse(lines.Bytes(), &o); err != nil {
			answer(w, http.StatusBadRequest, fault("Bad Request", err.Error()))
			return
		}
		kind := s.create(o, r)
		if kind == "" {
			created++
			continue
		}
		errs = append(errs, map[string]any{"type": o.Type, "id": o.ID, "error": map[string]any{"type": kind}})
	}
	answer(w, http.StatusOK, map[string]any{"success": len(errs) == 0, "successCount": created, "errors": errs})
}

const conflict = "conflict"

// create returns why it did not create the object, or "" if it did.
func (s *Server) create(o object, r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := o.Type + "/" + o.ID
	switch {
	case !slices.Contains(types, o.Type):
		return fmt.Sprintf("unsupported_type %s", o.Type)
	case s.objects[key] != nil && r.URL.Query().Get("overwrite") != "true":
		return conflict
	}
	s.objects[key] = o.Attributes
	return ""
}

func fault(kind, message string) map[string]any {
	return map[string]any{"error": kind, "message": message}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // an error means that the client has disconnected
}

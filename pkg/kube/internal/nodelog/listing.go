package nodelog

import (
	"bytes"
	"html"
	"net/url"
	"regexp"
	"strings"
)

var link = regexp.MustCompile(`<a href="([^"]*)">`)

// ParseListing returns the names in the listing of a directory by Go's file server;
// directories end with a slash. It reports false if the body is not such a listing, or
// only the beginning of one.
func ParseListing(body []byte) (names []string, ok bool) {
	if !bytes.Contains(body, []byte("<pre>")) || !bytes.HasSuffix(bytes.TrimSpace(body), []byte("</pre>")) {
		return nil, false
	}
	for _, m := range link.FindAllSubmatch(body, -1) {
		name, err := url.PathUnescape(strings.TrimPrefix(html.UnescapeString(string(m[1])), "./"))
		if err == nil && name != "" && !strings.Contains(strings.TrimSuffix(name, "/"), "/") {
			names = append(names, name)
		}
	}
	return names, true
}

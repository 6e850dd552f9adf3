package fakeapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// page is the content of a continue token.
type page struct {
	RV    uint64 `json:"rv"`    // version of the first page
	After string `json:"after"` // key of the last item sent
}

func (p page) token() string {
	body, _ := json.Marshal(p) // cannot fail: two plain fields
	return base64.RawURLEncoding.EncodeToString(body)
}

func parsePage(token string) (p page, err error) {
	body, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	return p, err
}

// objectList is a list whose items are already encoded.
type objectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []json.RawMessage `json:"items"`
}

// list responds to a list. Later pages show the current state under the version
// of the first page; a watch from that version reports the difference again.
func (s *Server) list(w *response, what serving) {
	q := w.r.URL.Query()
	sel, err := newSelection(w.req.Namespace, q)
	if err != nil {
		badRequest(w, "%v", err)
		return
	}
	limit := 0
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			badRequest(w, "invalid limit: %q", text)
			return
		}
	}
	found, rv := what.store.list(sel)
	if token := q.Get("continue"); token != "" {
		p, err := parsePage(token)
		if err != nil {
			badRequest(w, "continue key is not valid: %v", err)
			return
		}
		if p.RV < what.store.oldestVersion() {
			writeError(w, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result."))
			return
		}
		rv, found = p.RV, after(found, p.After)
	}
	list := objectList{TypeMeta: metav1.TypeMeta{Kind: what.kind.Kind + "List", APIVersion: what.kind.apiVersion()}, Items: []json.RawMessage{}}
	list.ResourceVersion = itoa(int64(rv))
	if rest := len(found) - limit; limit > 0 && rest > 0 {
		found = found[:limit]
		last := found[limit-1].pod
		list.Continue = page{RV: rv, After: podKey(last.Namespace, last.Name)}.token()
		if left := int64(rest); sel.everything() {
			list.RemainingItemCount = &left
		}
	}
	for _, v := range found {
		list.Items = append(list.Items, v.body(metadataOnly(w.r)))
	}
	writeJSON(w, http.StatusOK, list)
}

// after drops the pods up to the key.
func after(found []*podVersion, key string) []*podVersion {
	for i, v := range found {
		if podKey(v.pod.Namespace, v.pod.Name) > key {
			return found[i:]
		}
	}
	return nil
}

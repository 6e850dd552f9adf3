package text

import (
	"net/url"
	"strings"
)

// OneLine returns a text from outside, such as the response of a server, as one line that
// is safe for a terminal. White space becomes single spaces.
func OneLine(s string) string { return Sanitize(strings.Join(strings.Fields(s), " ")) }

// minSecret is the minimum length of a secret that is redacted, in bytes. A shorter one
// could be part of any word.
const minSecret = 4

// Redact replaces secrets in a text, also in the forms that they have in URLs. Servers may
// quote the request in their responses.
func Redact(s string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			s = strings.ReplaceAll(s, form, "***")
		}
	}
	return s
}

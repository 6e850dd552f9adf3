package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ktail/ktail/pkg/elastic"
)

// elasticOptions are the flags about forwarding to Elasticsearch.
type elasticOptions struct {
	addresses    addressesValue
	index        string
	user         string
	passwordFile string
	apiKeyFile   string
	tokenFile    string
	ca           string
	cert, key    string
	insecure     bool
	pipeline     string
	fields       []string
	spool        string
	spoolSize    sizeValue
	whenFull     whenFullValue
	deadLetters  string
	resend       string
	resume       bool
	quiet        bool

	parsedFields []elastic.Field
	nodes        []*url.URL
	auth         elastic.Auth // what the addresses say
}

// enabled reports whether lines are forwarded.
func (o *elasticOptions) enabled() bool { return len(o.addresses) > 0 }

func (o *elasticOptions) addFlags(fs *pflag.FlagSet) {
	fs.Var(&o.addresses, "elasticsearch",
		"Forward the lines to Elasticsearch or OpenSearch at this address. It is like http://host:9200; several are the nodes of one cluster.")
	fs.StringVar(&o.index, "elasticsearch-index", "",
		"Index, alias or data stream to forward to. Default: the data stream logs-ktail-default, or ktail-YYYY.MM.DD where the server has none.")
	o.addSecurityFlags(fs)
	fs.StringVar(&o.pipeline, "elasticsearch-pipeline", "",
		"Ingest pipeline that the documents go through.")
	fs.StringArrayVar(&o.fields, "elasticsearch-field", nil,
		"Constant field of every document, like labels.env=prod. May be repeated.")
	fs.StringVar(&o.spool, "elasticsearch-spool", "",
		"Folder where lines wait while Elasticsearch is away. What is left there is sent by the next run.")
	o.spoolSize = 1 << 30
	fs.Var(&o.spoolSize, "elasticsearch-spool-size",
		"How much the spool may hold, compressed.")
	fs.Var(&o.whenFull, "elasticsearch-when-full",
		"What to do when no more lines can wait: block or drop-oldest. To block is to read no more until they can.")
	fs.StringVar(&o.deadLetters, "elasticsearch-dead-letters", "",
		"File for documents that Elasticsearch does not take. Default: dead-letters.ndjson in the spool, or else in ktail's state folder.")
	fs.StringVar(&o.resend, "elasticsearch-resend", "",
		"Send the dead letters of this file once more. No pods are read.")
	fs.VisitAll(func(f *pflag.Flag) {
		excludeSources([]string{environment}, fs, f.Name) // nothing is sent anywhere because a variable happens to be set
	})
	fs.BoolVar(&o.resume, "resume", false,
		"Go on where the last run to the same place was acknowledged.")
	fs.BoolVar(&o.quiet, "quiet", false,
		"Forward only. Nothing is written to the standard output.")
}

// addSecurityFlags declares those about who we are and whom to trust.
func (o *elasticOptions) addSecurityFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.user, "elasticsearch-user", "",
		"User name for Elasticsearch. The password comes from --elasticsearch-password-file or $ELASTICSEARCH_PASSWORD.")
	fs.StringVar(&o.passwordFile, "elasticsearch-password-file", "",
		"File with the password for Elasticsearch.")
	fs.StringVar(&o.apiKeyFile, "elasticsearch-api-key-file", "",
		"File with an API key for Elasticsearch. It can also be in $ELASTICSEARCH_API_KEY.")
	fs.StringVar(&o.tokenFile, "elasticsearch-token-file", "",
		"File with a bearer token for Elasticsearch. It can also be in $ELASTICSEARCH_TOKEN.")
	fs.StringVar(&o.ca, "elasticsearch-ca", "",
		"File with the certificates of the authorities to trust.")
	fs.StringVar(&o.cert, "elasticsearch-cert", "",
		"File with the client certificate.")
	fs.StringVar(&o.key, "elasticsearch-key", "",
		"File with the key of the client certificate.")
	fs.BoolVar(&o.insecure, "elasticsearch-insecure-skip-tls-verify", false,
		"Do not check the certificate of Elasticsearch. Anybody in between can read and change what is sent.")
}

// complete checks what the flags say together.
func (o *elasticOptions) complete() (err error) {
	if !o.enabled() {
		switch {
		case o.resume:
			return errors.New("--resume goes on where Elasticsearch was left: give --elasticsearch, too")
		case o.quiet:
			return errors.New("--quiet without --elasticsearch would do nothing")
		case o.resend != "":
			return errors.New("--elasticsearch-resend needs --elasticsearch")
		}
		return nil
	}
	if o.nodes, o.auth, err = elastic.ParseNodes(o.addresses); err != nil {
		return fmt.Errorf("--elasticsearch: %w", err)
	}
	o.parsedFields, err = elastic.ParseFields(o.fields)
	if err != nil {
		return fmt.Errorf("--elasticsearch-field: %w", err)
	}
	if strings.ContainsAny(o.index, `/\*?"<>| ,#`) || strings.ToLower(o.index) != o.index {
		return fmt.Errorf("--elasticsearch-index: %q is not the name of an index", o.index)
	}
	if (o.cert == "") != (o.key == "") {
		return errors.New("--elasticsearch-cert and --elasticsearch-key belong together")
	}
	if o.spoolSize < minSpoolSize {
		return fmt.Errorf("--elasticsearch-spool-size is %s: give at least %dMi", &o.spoolSize, minSpoolSize>>20)
	}
	return nil
}

// minSpoolSize holds some segments of the largest bulks.
const minSpoolSize = 64 << 20

// secretVariables hold what nobody else should know.
var secretVariables = []string{"ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_TOKEN"}

// takeSecretsFromEnv returns a look-up of variables that goes on to know the secret ones,
// and takes these out of the environment: the credential plugins that a kubeconfig
// names inherit that.
func takeSecretsFromEnv() (lookUp func(string) (string, bool), err error) {
	kept := map[string]string{}
	for _, name := range secretVariables {
		value, ok := os.LookupEnv(name)
		if !ok {
			continue
		}
		kept[name] = value
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("take $%s out of the environment: %w", name, err)
		}
	}
	return func(name string) (string, bool) {
		if value, ok := kept[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}, nil
}

// credentials returns who we are. Secrets come from files and the environment
// alone, since everybody on the machine sees the arguments of a process.
func (o *elasticOptions) credentials(env func(string) (string, bool)) (elastic.Auth, error) {
	auth := o.auth
	if o.user != "" {
		auth.User = o.user
	}
	password, ok, err := secret(env, "ELASTICSEARCH_PASSWORD", o.passwordFile)
	if err != nil {
		return auth, err
	}
	if ok && auth.User != "" {
		auth.Password = password
	}
	if auth.APIKey, _, err = secret(env, "ELASTICSEARCH_API_KEY", o.apiKeyFile); err != nil {
		return auth, err
	}
	if strings.Contains(auth.APIKey, ":") { // id and key, not yet encoded
		auth.APIKey = base64.StdEncoding.EncodeToString([]byte(auth.APIKey))
	}
	if auth.Bearer, _, err = secret(env, "ELASTICSEARCH_TOKEN", o.tokenFile); err != nil {
		return auth, err
	}
	// What was asked for by a flag goes before what only lies around.
	switch {
	case o.apiKeyFile != "":
	case o.tokenFile != "":
		auth.APIKey = ""
	case o.user != "":
		auth.APIKey, auth.Bearer = "", ""
	}
	return auth, nil
}

// secret returns what the file holds, or else the variable.
func secret(env func(string) (string, bool), name, path string) (string, bool, error) {
	if path == "" {
		value, ok := env(name)
		return value, ok && value != "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimSpace(string(b)), true, nil
}

// tlsConfig returns what the flags say about TLS.
func (o *elasticOptions) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: o.insecure}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fmt.Errorf("--elasticsearch-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--elasticsearch-ca: there is no certificate in %s", o.ca)
		}
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("--elasticsearch-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// addressesValue is a flag for addresses, which may hold passwords: so Set takes
// everything, since pflag would quote what it does not.
type addressesValue []string

// String implements pflag.Value.
func (v *addressesValue) String() string { return strings.Join(*v, ",") }

// Set implements pflag.Value.
func (v *addressesValue) Set(s string) error {
	*v = append(*v, strings.Split(s, ",")...)
	return nil
}

// Type implements pflag.Value.
func (*addressesValue) Type() string { return "strings" }

// Append implements pflag.SliceValue.
func (v *addressesValue) Append(s string) error { return v.Set(s) }

// Replace implements pflag.SliceValue.
func (v *addressesValue) Replace(addresses []string) error {
	*v = addresses
	return nil
}

// GetSlice implements pflag.SliceValue.
func (v *addressesValue) GetSlice() []string { return *v }

// sizeValue is a flag for a number of bytes, as Kubernetes writes them: 512Mi.
type sizeValue int64

// String implements pflag.Value.
func (v *sizeValue) String() string {
	return resource.NewQuantity(int64(*v), resource.BinarySI).String()
}

// Set implements pflag.Value.
func (v *sizeValue) Set(s string) error {
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() < 0 {
		return errors.New("a size is like 512Mi or 2Gi")
	}
	*v = sizeValue(q.Value())
	return nil
}

// Type implements pflag.Value.
func (*sizeValue) Type() string { return "size" }

// whenFullValue is a flag that says whether the oldest lines make room.
type whenFullValue bool

// String implements pflag.Value.
func (v *whenFullValue) String() string {
	if *v {
		return "drop-oldest"
	}
	return "block"
}

// Set implements pflag.Value.
func (v *whenFullValue) Set(s string) error {
	switch s {
	case "block":
		*v = false
	case "drop-oldest":
		*v = true
	default:
		return errors.New("it is block or drop-oldest")
	}
	return nil
}

// Type implements pflag.Value.
func (*whenFullValue) Type() string { return "policy" }

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ktail/ktail/pkg/elastic"
)

// elasticOptions are the flags for forwarding to Elasticsearch, and the values
// that parsed derives from them.
type elasticOptions struct {
	addresses       listValue
	index           string
	user            string
	passwordFile    string
	apiKeyFile      string
	tokenFile       string
	ca              string
	cert, key       string
	insecure        bool
	pipeline        string
	fields          []string
	spool           string
	spoolSize       sizeValue
	whenFull        whenFullValue
	deadLetters     string
	deadLettersSize sizeValue
	resend          string
	shutdownTimeout durationValue
	resume          bool
	quiet           bool

	// Set by parsed.
	parsedFields []elastic.Field
	nodes        []*url.URL
	auth         elastic.Auth // from the URLs
}

// enabled reports whether lines are forwarded.
func (o *elasticOptions) enabled() bool { return len(o.addresses.values) > 0 }

func (o *elasticOptions) addFlags(fs *pflag.FlagSet) {
	o.addresses.valueName = "URL"
	fs.Var(&o.addresses, "elasticsearch",
		"Forward lines to Elasticsearch or OpenSearch. The URL is like http://host:9200; separate the nodes of one cluster with commas")
	fs.StringVar(&o.index, "elasticsearch-index", "",
		"Index, alias, or data stream to write to (default: the data stream logs-ktail-default, or ktail-YYYY.MM.DD if the server does not have data streams) `INDEX`")
	o.addSecurityFlags(fs)
	fs.StringVar(&o.pipeline, "elasticsearch-pipeline", "",
		"Ingest pipeline that processes the documents `PIPELINE`")
	fs.StringArrayVar(&o.fields, "elasticsearch-field", nil,
		"Add a constant field to every document, such as labels.env=prod (can be repeated) `FIELD=VALUE`")
	fs.StringVar(&o.spool, "elasticsearch-spool", "",
		"Directory that buffers lines while Elasticsearch is unreachable. The next run sends what is left `DIRECTORY`")
	o.spoolSize = 1 << 30
	fs.Var(&o.spoolSize, "elasticsearch-spool-size",
		"Maximum size of the spool, compressed")
	fs.Var(&o.whenFull, "elasticsearch-when-full",
		"When the buffer is full: block (stop reading) or drop-oldest")
	fs.StringVar(&o.deadLetters, "elasticsearch-dead-letters", "",
		"File for documents that Elasticsearch rejects. The default is dead-letters.ndjson in the spool or, without a spool, in the state directory of ktail `FILE`")
	o.deadLettersSize = 256 << 20
	fs.Var(&o.deadLettersSize, "elasticsearch-dead-letters-size",
		"Maximum size of all dead letters (0: no limit). When it is reached, the older half, FILE.1, is deleted")
	fs.StringVar(&o.resend, "elasticsearch-resend", "",
		"Send the dead letters in this file again, then exit `FILE`")
	o.shutdownTimeout = durationValue(25 * time.Second)
	fs.Var(&o.shutdownTimeout, "elasticsearch-shutdown-timeout",
		"Time to deliver pending lines after SIGTERM or an interrupt. The rest goes into the spool or is reported")
	fs.VisitAll(func(f *pflag.Flag) {
		excludeSources([]string{environment}, fs, f.Name) // a stray environment variable must not send logs anywhere
	})
	fs.BoolVar(&o.resume, "resume", false,
		"Continue where the previous run to this destination stopped")
	fs.BoolVar(&o.quiet, "quiet", false,
		"Print no log lines. Requires --elasticsearch, --web, or metrics")
}

// addSecurityFlags declares the flags for authentication and TLS.
func (o *elasticOptions) addSecurityFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.user, "elasticsearch-user", "",
		"User name for Elasticsearch. The password comes from --elasticsearch-password-file or $ELASTICSEARCH_PASSWORD `USER`")
	fs.StringVar(&o.passwordFile, "elasticsearch-password-file", "",
		"File with the password for Elasticsearch `FILE`")
	fs.StringVar(&o.apiKeyFile, "elasticsearch-api-key-file", "",
		"File with an API key for Elasticsearch. Alternatively, set $ELASTICSEARCH_API_KEY `FILE`")
	fs.StringVar(&o.tokenFile, "elasticsearch-token-file", "",
		"File with a bearer token for Elasticsearch. Alternatively, set $ELASTICSEARCH_TOKEN `FILE`")
	fs.StringVar(&o.ca, "elasticsearch-ca", "",
		"File with the CA certificates to trust `FILE`")
	fs.StringVar(&o.cert, "elasticsearch-cert", "",
		"File with the client certificate. Requires --elasticsearch-key `FILE`")
	fs.StringVar(&o.key, "elasticsearch-key", "",
		"File with the key of the client certificate `FILE`")
	fs.BoolVar(&o.insecure, "elasticsearch-insecure-skip-tls-verify", false,
		"Do not verify the certificate of Elasticsearch. Anyone on the network path can then read and change the data")
}

// parsed checks the flags and returns them with the values derived from them.
func (o elasticOptions) parsed() (elasticOptions, error) {
	if !o.enabled() {
		if o.resend != "" {
			return o, errors.New("--elasticsearch-resend requires --elasticsearch")
		}
		return o, nil
	}
	var err error
	if o.nodes, o.auth, err = elastic.ParseNodes(o.addresses.values); err != nil {
		return o, fmt.Errorf("invalid --elasticsearch: %w", err)
	}
	if o.parsedFields, err = elastic.ParseFields(o.fields); err != nil {
		return o, fmt.Errorf("invalid --elasticsearch-field: %w", err)
	}
	if err := elastic.CheckIndex(o.index); o.index != "" && err != nil {
		return o, fmt.Errorf("invalid --elasticsearch-index %q: %w", o.index, err)
	}
	switch {
	case o.cert != "" && o.key == "":
		return o, errors.New("--elasticsearch-cert requires --elasticsearch-key")
	case o.cert == "" && o.key != "":
		return o, errors.New("--elasticsearch-key requires --elasticsearch-cert")
	case time.Duration(o.shutdownTimeout) < minShutdownTimeout:
		return o, fmt.Errorf("invalid --elasticsearch-shutdown-timeout %s: must be at least %s", &o.shutdownTimeout, minShutdownTimeout)
	case o.deadLettersSize != 0 && o.deadLettersSize < minDeadLettersSize:
		return o, fmt.Errorf("invalid --elasticsearch-dead-letters-size %s: must be at least %dMi, or 0 for no limit", &o.deadLettersSize, minDeadLettersSize>>20)
	case o.spoolSize < minSpoolSize:
		return o, fmt.Errorf("invalid --elasticsearch-spool-size %s: must be at least %dMi", &o.spoolSize, minSpoolSize>>20)
	}
	return o, nil
}

const (
	minShutdownTimeout = time.Second
	minDeadLettersSize = 1 << 20
)

// minSpoolSize allows for several segments with the largest bulk requests.
const minSpoolSize = 64 << 20

// secretVariables are the environment variables that hold secrets.
var secretVariables = []string{"ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_TOKEN", webTokenVariable}

// takeSecretsFromEnv removes the secrets from the environment, which the
// credential plugins of a kubeconfig inherit, and returns a lookup function
// that still returns them.
func takeSecretsFromEnv() (lookUp func(string) (string, bool), err error) {
	kept := map[string]string{}
	for _, name := range secretVariables {
		value, ok := os.LookupEnv(name)
		if !ok {
			continue
		}
		kept[name] = value
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("remove $%s from the environment: %w", name, err)
		}
	}
	return func(name string) (string, bool) {
		if value, ok := kept[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}, nil
}

// sizeValue is a flag for a number of bytes in the notation of Kubernetes, such
// as 512Mi.
type sizeValue int64

// String implements pflag.Value.
func (v *sizeValue) String() string {
	return resource.NewQuantity(int64(*v), resource.BinarySI).String()
}

// Set implements pflag.Value.
func (v *sizeValue) Set(s string) error {
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() < 0 {
		return errors.New("must be a size such as 512Mi or 2Gi")
	}
	*v = sizeValue(q.Value())
	return nil
}

// Type implements pflag.Value.
func (*sizeValue) Type() string { return "SIZE" }

// whenFullValue is the flag for what happens when the buffer is full. true
// drops the oldest lines.
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
		return errors.New("must be one of block, drop-oldest")
	}
	return nil
}

// Type implements pflag.Value.
func (*whenFullValue) Type() string { return "POLICY" }

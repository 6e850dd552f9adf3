package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/elastic"
)

func TestElasticOptions_RejectInvalidCombinations(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		wantErr string // part of the error; empty: no error
	}{
		{"off", nil, ""},
		{"several nodes", []string{"--elasticsearch=http://a:9200,https://b:9200"}, ""},
		{"no scheme", []string{"--elasticsearch=a:9200"}, "invalid --elasticsearch: "},
		{"resume alone", []string{"--resume"}, "--resume"},
		{"quiet alone", []string{"--quiet"}, "--quiet"},
		{"resume from stdin", []string{"--elasticsearch=http://a", "--stdin", "--resume"}, "--stdin"},
		{"field", []string{"--elasticsearch=http://a", "--elasticsearch-field=labels.env=prod"}, ""},
		{"field without value", []string{"--elasticsearch=http://a", "--elasticsearch-field=env"}, "--elasticsearch-field"},
		{"ktail's own field", []string{"--elasticsearch=http://a", "--elasticsearch-field=kubernetes.x=y"}, "labels"},
		{"field twice", []string{"--elasticsearch=http://a", "--elasticsearch-field=a=b", "--elasticsearch-field=a=c"}, "twice"},
		{"index", []string{"--elasticsearch=http://a", "--elasticsearch-index=Logs"}, "--elasticsearch-index"},
		{"certificate without key", []string{"--elasticsearch=http://a", "--elasticsearch-cert=c"}, "--elasticsearch-key"},
		{"small spool", []string{"--elasticsearch=http://a", "--elasticsearch-spool-size=1Mi"}, "64Mi"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, _ := parse(t, tt.args...)
			_, err := offlinePlan(o, []string{"web"})
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("error is %v, want one with %q", err, tt.wantErr)
			}
		})
	}
}

func TestElasticCredentials_Precedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("of-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want elastic.Auth
	}{
		{"nothing", nil, nil, elastic.Auth{}},
		{"password from the environment", []string{"--elasticsearch-user=me"}, map[string]string{"ELASTICSEARCH_PASSWORD": "p"}, elastic.Auth{User: "me", Password: "p"}},
		{"password from a file", []string{"--elasticsearch-user=me", "--elasticsearch-password-file=" + file}, map[string]string{"ELASTICSEARCH_PASSWORD": "p"}, elastic.Auth{User: "me", Password: "of-file"}},
		{"a key and a password without a user", nil, map[string]string{"ELASTICSEARCH_API_KEY": "k", "ELASTICSEARCH_PASSWORD": "p"}, elastic.Auth{APIKey: "k"}},
		{"key from the environment", nil, map[string]string{"ELASTICSEARCH_API_KEY": "k"}, elastic.Auth{APIKey: "k"}},
		{"key from a file", []string{"--elasticsearch-api-key-file=" + file}, map[string]string{"ELASTICSEARCH_API_KEY": "k"}, elastic.Auth{APIKey: "of-file"}},
		{"id and key", nil, map[string]string{"ELASTICSEARCH_API_KEY": "id:key"}, elastic.Auth{APIKey: "aWQ6a2V5"}},
		{"token from the environment", nil, map[string]string{"ELASTICSEARCH_TOKEN": "t"}, elastic.Auth{Bearer: "t"}},
		{"token from a file", []string{"--elasticsearch-token-file=" + file}, map[string]string{"ELASTICSEARCH_API_KEY": "k"}, elastic.Auth{Bearer: "of-file"}},
		{"a user takes precedence over a key in the environment", []string{"--elasticsearch-user=me"}, map[string]string{"ELASTICSEARCH_API_KEY": "k", "ELASTICSEARCH_PASSWORD": "p"}, elastic.Auth{User: "me", Password: "p"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, _ := parse(t, append(tt.args, "--elasticsearch=http://a:9200")...)
			parsed, err := o.elastic.parsed()
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.credentials(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

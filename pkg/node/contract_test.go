package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/sourcetest"
	"github.com/ktail/ktail/pkg/ktail"
)

func TestSource_KeepsContract(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Subject {
		dir := filepath.Join(t.TempDir(), "app")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(dir, "0.log"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		log := newLogFiles(dir, true, &fileLimit{}, &apiNews{})
		src := &source{
			log: log, options: &Options{Follow: true, Tail: -1},
			stream: &ktail.Stream{Namespace: "default", Pod: "web", PodUID: "uid", Container: "app"},
		}
		return sourcetest.Subject{
			Source: src,
			Write: func(texts ...string) {
				for _, text := range texts {
					b := time.Now().UTC().AppendFormat(nil, time.RFC3339Nano)
					if _, err := file.Write(append(append(b, " stdout F "+text...), '\n')); err != nil {
						t.Error(err)
					}
				}
				log.poll()
			},
			Cut: func() { log.fail(errors.New("input/output error")) },
			End: func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
				log.markRemoved()
			},
		}
	})
}

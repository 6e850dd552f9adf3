package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeImage writes an image whose program, for two architectures, is the test.
func writeImage(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "image.tar")
	if err := run(out, "ghcr.io/ktail/ktail", "v1.2.3", []string{"amd64=" + self, "arm64=" + self}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// filesOf returns the files of a tar archive by their names.
func filesOf(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// blob decodes the blob of a descriptor.
func blob(t *testing.T, files map[string][]byte, d descriptor, v any) {
	t.Helper()
	b := files["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if len(b) != d.Size || digest(b) != d.Digest {
		t.Fatalf("the blob of %+v has %d bytes", d, len(b))
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// imagesOf returns the index with the images and their bills of materials.
func imagesOf(t *testing.T, files map[string][]byte) index {
	t.Helper()
	var top, images index
	if err := json.Unmarshal(files["index.json"], &top); err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 { // some tools accept only one
		t.Fatalf("the archive has %d images", len(top.Manifests))
	}
	blob(t, files, top.Manifests[0], &images)
	return images
}

func TestImage_IsReproducible(t *testing.T) {
	if !bytes.Equal(writeImage(t), writeImage(t)) {
		t.Error("the same programs give another archive")
	}
}

// A bill of materials refers to the image of each architecture. It lists what is in it:
// the modules that are linked, Go itself, and the certificates.
func TestImage_HasABillOfMaterials(t *testing.T) {
	files := filesOf(t, writeImage(t))
	manifests := imagesOf(t, files).Manifests
	if len(manifests) != 4 {
		t.Fatalf("got %+v, want two images and two bills of materials", manifests)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		image, bill := manifests[i], manifests[i+2]
		if *image.Platform != (platform{arch, "linux"}) || *bill.Platform != (platform{"unknown", "unknown"}) || bill.ArtifactType != bomType {
			t.Errorf("image %+v has the bill of materials %+v", image, bill)
		}
		var m manifest
		blob(t, files, bill, &m)
		if m.Subject == nil || m.Subject.Digest != image.Digest || m.ArtifactType != bomType || len(m.Layers) != 1 || m.Layers[0].MediaType != bomType {
			t.Fatalf("the bill of materials for %s is %+v", arch, m)
		}
		var b bom
		blob(t, files, m.Layers[0], &b)
		of := b.Metadata.Component
		if b.BOMFormat != "CycloneDX" || of.Name != "ghcr.io/ktail/ktail" || of.Version != "v1.2.3" || !strings.Contains(of.PURL, "arch="+arch) {
			t.Errorf("the bill of materials for %s has the format %s and is about %+v", arch, b.BOMFormat, of)
		}
		for _, name := range []string{"github.com/ktail/ktail", "std", certificates} {
			if !slices.ContainsFunc(b.Components, func(c component) bool { return c.Name == name && c.Version != "" && c.PURL != "" }) {
				t.Errorf("%s is not in %+v", name, b.Components)
			}
		}
	}
}

func TestImage_ProgramWithoutBuildInformation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ktail")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := run(filepath.Join(t.TempDir(), "image.tar"), "ktail", "v1", []string{"amd64=" + path})
	if err == nil || !strings.Contains(err.Error(), "bill of materials") {
		t.Errorf("the error is %v", err)
	}
}

// Command ktail-image writes the container image of ktail as an OCI archive,
// which containerd, podman, skopeo, and crane read. It needs neither Docker nor
// a base image: the image consists of the program and the certificates of public
// CAs. A software bill of materials refers to the image of each architecture.
//
//	ktail-image -o ktail.tar -version v1.2.3 amd64=dist/ktail-amd64 arm64=dist/ktail-arm64
//
// The same programs produce the same archive. The format is
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

func main() {
	out := flag.String("o", "ktail-image.tar", "archive to write")
	name := flag.String("name", "ghcr.io/ktail/ktail", "name of the image")
	version := flag.String("version", "latest", "tag of the image")
	flag.Parse()
	if err := run(*out, *name, *version, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ktail-image:", err)
		os.Exit(1)
	}
}

func run(out, name, version string, programs []string) error {
	if len(programs) == 0 {
		return errors.New("no programs: pass GOARCH=FILE for each architecture")
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	a := archive{w: tar.NewWriter(file), written: map[string]bool{}}
	err = a.image(name, version, programs)
	return errors.Join(err, a.w.Close(), file.Close())
}

// descriptor refers to a blob.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       string            `json:"digest"`
	Size         int               `json:"size"`
	Platform     *platform         `json:"platform,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType,omitempty"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	Subject       *descriptor  `json:"subject,omitempty"`
}

type imageConfig struct {
	platform
	Config struct {
		User       string
		Entrypoint []string
		WorkingDir string
		Labels     map[string]string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// archive is an OCI image layout in a tar file.
type archive struct {
	w       *tar.Writer
	written map[string]bool // digests of blobs
}

// image writes an image with one manifest for each program.
func (a *archive) image(name, version string, programs []string) error {
	images := index{SchemaVersion: 2, MediaType: indexType}
	var bills []descriptor // after the images
	for _, program := range programs {
		arch, path, ok := strings.Cut(program, "=")
		if !ok {
			return fmt.Errorf("invalid argument %q: must be GOARCH=FILE", program)
		}
		m, bill, err := a.platformImage(platform{arch, "linux"}, path, name, version)
		if err != nil {
			return fmt.Errorf("image for %s: %w", arch, err)
		}
		images.Manifests, bills = append(images.Manifests, m), append(bills, bill)
	}
	images.Manifests = append(images.Manifests, bills...)
	all, err := a.json(indexType, images)
	if err != nil {
		return err
	}
	all.Annotations = map[string]string{
		"org.opencontainers.image.ref.name": version,
		"io.containerd.image.name":          name + ":" + version,
	}
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{all}})
	if err != nil {
		return err
	}
	return errors.Join(a.file("index.json", top), a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)))
}

// platformImage writes the image of one architecture and its bill of materials.
func (a *archive) platformImage(p platform, path, name, version string) (image, bill descriptor, err error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return image, bill, err
	}
	contents, err := billOf(p, name, version, program)
	if err != nil {
		return image, bill, err
	}
	if image, err = a.programImage(p, program, version); err != nil {
		return image, bill, err
	}
	bill, err = a.attach(&contents, image)
	return image, bill, err
}

// programImage writes an image with the program.
func (a *archive) programImage(p platform, program []byte, version string) (descriptor, error) {
	layer, err := layerOf(program)
	if err != nil {
		return descriptor{}, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(layer)
	if err := errors.Join(err, z.Close()); err != nil {
		return descriptor{}, err
	}
	config := imageConfig{platform: p}
	config.Config.User = "65532:65532"
	config.Config.Entrypoint = []string{"/ktail"}
	config.Config.WorkingDir = "/"
	config.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "ktail",
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.source":   "https://github.com/ktail/ktail",
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	config.RootFS.Type = "layers"
	config.RootFS.DiffIDs = []string{digest(layer)}
	configBlob, err := a.json(configType, config)
	if err != nil {
		return descriptor{}, err
	}
	layerBlob, err := a.blob(layerType, packed.Bytes())
	if err != nil {
		return descriptor{}, err
	}
	d, err := a.json(manifestType, manifest{
		SchemaVersion: 2, MediaType: manifestType, Config: configBlob, Layers: []descriptor{layerBlob},
	})
	d.Platform = &p
	return d, err
}

// layerOf returns a file system with the program, the certificates of public CAs,
// and a directory for temporary files.
func layerOf(program []byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777})
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{
		{"etc/ssl/certs/ca-certificates.crt", 0o644, publicCAs()},
		{"ktail", 0o755, program},
	} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data))}))
		if err == nil {
			_, err = w.Write(f.data)
		}
	}
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// publicCAs returns the certificates that browsers trust without constraints, in PEM.
// A file cannot express the constraints of the others, such as a date from which on
// new certificates are not trusted.
func publicCAs() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// json writes the value as a blob.
func (a *archive) json(mediaType string, v any) (descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return a.blob(mediaType, b)
}

// blob writes the bytes under their digest, once.
func (a *archive) blob(mediaType string, b []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(b), Size: len(b)}
	if a.written[d.Digest] {
		return d, nil
	}
	a.written[d.Digest] = true
	return d, a.file("blobs/"+strings.Replace(d.Digest, ":", "/", 1), b)
}

func (a *archive) file(name string, b []byte) error {
	if err := a.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err := io.Copy(a.w, bytes.NewReader(b))
	return err
}

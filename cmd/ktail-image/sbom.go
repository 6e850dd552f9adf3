package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
)

const (
	bomType   = "application/vnd.cyclonedx+json"
	emptyType = "application/vnd.oci.empty.v1+json"

	// certificates is the module whose certificates are in the image.
	certificates = "golang.org/x/crypto/x509roots/fallback"
)

// bom is a software bill of materials in the format CycloneDX. It has neither a time nor
// a random serial number, so that an archive is reproducible.
type bom struct {
	BOMFormat   string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    bomMetadata `json:"metadata"`
	Components  []component `json:"components"`
}

type bomMetadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string    `json:"type"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	PURL    string    `json:"purl"`
	Hashes  []bomHash `json:"hashes,omitempty"`
}

type bomHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// billOf returns the bill of materials of an image: the Go modules that are linked into
// the program, from its build information, and the one with the certificates.
func billOf(p platform, name, version string, program []byte) (bom, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return bom{}, fmt.Errorf("bill of materials: %w", err)
	}
	own := &debug.Module{Path: info.Main.Path, Version: version}
	components := []component{moduleComponent("application", own)}
	for _, m := range append(info.Deps, certificatesModule()) {
		components = append(components, moduleComponent("library", m))
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	components = append(components, moduleComponent("library", &debug.Module{Path: "std", Version: goVersion}))
	base := name[strings.LastIndex(name, "/")+1:]
	return bom{
		BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: bomMetadata{component{
			Type: "container", Name: name, Version: version,
			PURL: fmt.Sprintf("pkg:oci/%s?arch=%s&repository_url=%s&tag=%s", base, p.Architecture, name, version),
		}},
		Components: components,
	}, nil
}

// certificatesModule returns the module of the certificates, which is part of this program.
func certificatesModule() *debug.Module {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == certificates {
				return m
			}
		}
	}
	return &debug.Module{Path: certificates}
}

func moduleComponent(kind string, m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	c := component{Type: kind, Name: m.Path, Version: m.Version, PURL: fmt.Sprintf("pkg:golang/%s@%s?type=module", m.Path, m.Version)}
	if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		if b, err := base64.StdEncoding.DecodeString(sum); err == nil {
			c.Hashes = []bomHash{{"SHA-256", hex.EncodeToString(b)}}
		}
	}
	return c
}

// attach writes a bill of materials that refers to an image. Registries list it as a
// referrer of the image. The platform, which no machine has, keeps container runtimes from
// choosing it.
func (a *archive) attach(b *bom, image descriptor) (descriptor, error) {
	config, err := a.blob(emptyType, []byte("{}"))
	if err != nil {
		return descriptor{}, err
	}
	blob, err := a.json(bomType, b)
	if err != nil {
		return descriptor{}, err
	}
	subject := descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}
	d, err := a.json(manifestType, manifest{
		SchemaVersion: 2, MediaType: manifestType, ArtifactType: bomType, Config: config, Layers: []descriptor{blob}, Subject: &subject,
	})
	d.ArtifactType, d.Platform = bomType, &platform{"unknown", "unknown"}
	return d, err
}

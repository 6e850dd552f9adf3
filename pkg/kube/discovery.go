package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
)

// What a cluster knows is asked for and decoded here by hand: package discovery
// of client-go links the OpenAPI models, 11 MB of the binary.

// acceptDiscovery asks for everything in one document, which servers give since
// v1.26, and takes lists of groups and versions from those before.
const acceptDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," +
	"application/json"

// discovered is what /api or /apis answers, in any of three forms.
type discovered struct {
	Kind string `json:"kind"`

	// APIGroupDiscoveryList
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Versions []struct { // the preferred one is first
			Version   string               `json:"version"`
			Resources []discoveredResource `json:"resources"`
		} `json:"versions"`
	} `json:"items"`

	// APIGroupList
	Groups []struct {
		PreferredVersion struct {
			GroupVersion string `json:"groupVersion"`
		} `json:"preferredVersion"`
	} `json:"groups"`

	// APIVersions
	Versions []string `json:"versions"`
}

type discoveredResource struct {
	Resource     string `json:"resource"`
	ResponseKind struct {
		Kind string `json:"kind"`
	} `json:"responseKind"`
	Scope            string   `json:"scope"`
	SingularResource string   `json:"singularResource"`
	ShortNames       []string `json:"shortNames"`
	Verbs            []string `json:"verbs"`
	Subresources     []struct {
		Subresource string `json:"subresource"`
	} `json:"subresources"`
}

// resourceList is what /api/v1 and /apis/GROUP/VERSION answer.
type resourceList struct {
	Resources []struct {
		Name         string   `json:"name"` // with a slash: a subresource
		SingularName string   `json:"singularName"`
		Namespaced   bool     `json:"namespaced"`
		Kind         string   `json:"kind"`
		ShortNames   []string `json:"shortNames"`
		Verbs        []string `json:"verbs"`
	} `json:"resources"`
}

// Kinds asks the cluster for the kinds whose objects can be listed, in the
// server's order of preference. A group whose server does not answer does not
// keep the others from being found.
func (c *Client) Kinds(ctx context.Context) ([]Kind, error) {
	var kinds []Kind
	for _, path := range []string{"/api", "/apis"} {
		var d discovered
		if err := c.getJSON(ctx, path, acceptDiscovery, &d); err != nil {
			return nil, fmt.Errorf("ask the cluster which kinds it knows: %w", err)
		}
		more, err := c.kindsOf(ctx, path, &d)
		if err != nil {
			return nil, fmt.Errorf("ask the cluster which kinds it knows: %w", err)
		}
		kinds = append(kinds, more...)
	}
	return kinds, nil
}

func (c *Client) kindsOf(ctx context.Context, path string, d *discovered) ([]Kind, error) {
	if d.Kind == "APIGroupDiscoveryList" {
		return d.kinds(), nil
	}
	versions := d.Versions
	for _, g := range d.Groups {
		versions = append(versions, g.PreferredVersion.GroupVersion)
	}
	var kinds []Kind
	var errs []error
	for _, v := range versions {
		var list resourceList
		if err := c.getJSON(ctx, path+"/"+v, "application/json", &list); err != nil {
			errs = append(errs, err) // an aggregated API whose server is away, often
			continue
		}
		kinds = append(kinds, list.kinds(v)...)
	}
	if len(kinds) == 0 {
		return nil, errors.Join(errs...)
	}
	return kinds, nil
}

// kinds returns what the aggregated document tells, of each group the version
// that is preferred among those that have the resource.
func (d *discovered) kinds() []Kind {
	var kinds []Kind
	for _, g := range d.Items {
		first := len(kinds)
		for _, v := range g.Versions {
			for _, r := range v.Resources {
				known := func(k Kind) bool { return k.Resource == r.Resource }
				if slices.ContainsFunc(kinds[first:], known) || !slices.Contains(r.Verbs, "list") {
					continue
				}
				k := Kind{
					Group: g.Metadata.Name, Version: v.Version, Resource: r.Resource,
					Kind: r.ResponseKind.Kind, ShortNames: r.ShortNames, Cluster: r.Scope == "Cluster",
				}
				k.Singular = singular(r.SingularResource, k.Kind)
				for _, s := range r.Subresources {
					k.Scale = k.Scale || s.Subresource == "scale"
				}
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// kinds returns what the list of one group and version tells.
func (l *resourceList) kinds(groupVersion string) []Kind {
	group, version, ok := strings.Cut(groupVersion, "/")
	if !ok {
		group, version = "", groupVersion
	}
	var kinds []Kind
	scaled := map[string]bool{}
	for _, r := range l.Resources {
		resource, sub, isSub := strings.Cut(r.Name, "/")
		switch {
		case isSub:
			scaled[resource] = scaled[resource] || sub == "scale"
		case slices.Contains(r.Verbs, "list"):
			kinds = append(kinds, Kind{
				Group: group, Version: version, Resource: r.Name, Singular: singular(r.SingularName, r.Kind),
				Kind: r.Kind, ShortNames: r.ShortNames, Cluster: !r.Namespaced,
			})
		}
	}
	for i := range kinds {
		kinds[i].Scale = scaled[kinds[i].Resource]
	}
	return kinds
}

// singular is a kind's name for one object; some servers leave it out.
func singular(name, kind string) string {
	if name == "" {
		return strings.ToLower(kind)
	}
	return name
}

// getJSON decodes what the server answers on the path.
func (c *Client) getJSON(ctx context.Context, path, accept string, into any) error {
	body, err := rawBody(c.rest.Get().AbsPath(path).SetHeader("Accept", accept).Do(ctx))
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// rawBody returns the body of an answer, or the error that its Status tells.
func rawBody(answer rest.Result) ([]byte, error) {
	if err := answer.Error(); err != nil { // Raw does not look into the body
		return nil, err
	}
	return answer.Raw()
}

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

// Discovery is implemented here because client-go's package discovery links the
// OpenAPI models, which are 11 MB of the binary.

// acceptDiscovery requests all groups in one document, which servers support since
// v1.26, and accepts the lists of groups and versions of older ones.
const acceptDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," +
	"application/json"

// discovered is the response of /api or /apis, in any of three forms.
type discovered struct {
	Kind string `json:"kind"`

	// APIGroupDiscoveryList
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Versions []struct { // the preferred version is first
			Version   string               `json:"version"`
			Freshness string               `json:"freshness"`
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

// resourceList is the response of /api/v1 or /apis/GROUP/VERSION.
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

// Kinds returns the kinds whose objects can be listed, in the server's order of
// preference. Groups whose server does not respond are left out.
func (c *Client) Kinds(ctx context.Context) ([]Kind, error) {
	kinds, _, err := c.discover(ctx)
	return kinds, err
}

// discover returns the kinds whose objects can be listed, and the groups whose
// server does not respond.
func (c *Client) discover(ctx context.Context) (kinds []Kind, unavailable []string, err error) {
	for _, path := range []string{"/api", "/apis"} {
		var d discovered
		if err := c.getJSON(ctx, path, acceptDiscovery, &d); err != nil {
			return nil, nil, fmt.Errorf("discover the kinds of the cluster: %w", withoutURL(err))
		}
		more, down, err := c.kindsOf(ctx, path, &d)
		if err != nil {
			return nil, nil, fmt.Errorf("discover the kinds of the cluster: %w", withoutURL(err))
		}
		kinds, unavailable = append(kinds, more...), append(unavailable, down...)
	}
	return kinds, unavailable, nil
}

func (c *Client) kindsOf(ctx context.Context, path string, d *discovered) (kinds []Kind, unavailable []string, err error) {
	if d.Kind == "APIGroupDiscoveryList" {
		return d.kinds(), d.unavailable(), nil
	}
	versions := d.Versions
	for _, g := range d.Groups {
		versions = append(versions, g.PreferredVersion.GroupVersion)
	}
	var errs []error
	for _, v := range versions {
		var list resourceList
		if err := c.getJSON(ctx, path+"/"+v, "application/json", &list); err != nil {
			errs = append(errs, err) // usually an aggregated API whose server is down
			group, _, _ := strings.Cut(v, "/")
			unavailable = append(unavailable, group)
			continue
		}
		kinds = append(kinds, list.kinds(v)...)
	}
	if len(kinds) == 0 {
		return nil, nil, errors.Join(errs...)
	}
	return kinds, unavailable, nil
}

// unavailable returns the groups without any resources that are marked as stale:
// their server has not responded since the API server started.
func (d *discovered) unavailable() []string {
	var groups []string
	for _, g := range d.Items {
		for _, v := range g.Versions {
			if v.Freshness == "Stale" && len(v.Resources) == 0 {
				groups = append(groups, g.Metadata.Name)
				break
			}
		}
	}
	return groups
}

// kinds returns the kinds of the aggregated document, each in the preferred version
// that has the resource.
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

// kinds returns the kinds of one group and version.
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

// singular returns the name of one object; some servers omit it.
func singular(name, kind string) string {
	if name == "" {
		return strings.ToLower(kind)
	}
	return name
}

// getJSON decodes the response for the path.
func (c *Client) getJSON(ctx context.Context, path, accept string, into any) error {
	body, err := rawBody(c.rest.Get().AbsPath(path).SetHeader("Accept", accept).MaxRetries(0).Do(ctx))
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// rawBody returns the body of a response, or the error in its Status.
func rawBody(response rest.Result) ([]byte, error) {
	if err := response.Error(); err != nil { // Raw does not look into the body
		return nil, err
	}
	return response.Raw()
}

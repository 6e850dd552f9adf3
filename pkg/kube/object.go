package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// object is an object of any kind, reduced to the fields that decide which pods
// belong to it.
type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector json.RawMessage `json:"selector"`
	} `json:"spec"`
}

// DeepCopyObject implements runtime.Object.
func (o *object) DeepCopyObject() runtime.Object {
	c := &object{TypeMeta: o.TypeMeta}
	o.DeepCopyInto(&c.ObjectMeta)
	c.Spec.Selector = bytes.Clone(o.Spec.Selector)
	return c
}

// objectList is a list of objects.
type objectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []object `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *objectList) DeepCopyObject() runtime.Object {
	c := &objectList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&c.ListMeta)
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].DeepCopyObject().(*object))
	}
	return c
}

// selectorOf returns the selector of a spec, in the form of a Deployment
// (matchLabels and matchExpressions) or of a Service (a map). It returns nil
// for a missing or empty selector and for any other form.
func selectorOf(raw json.RawMessage) labels.Selector {
	var formed struct {
		MatchLabels      map[string]string                 `json:"matchLabels"`
		MatchExpressions []metav1.LabelSelectorRequirement `json:"matchExpressions"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&formed) == nil && len(formed.MatchLabels)+len(formed.MatchExpressions) > 0 {
		s, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{
			MatchLabels: formed.MatchLabels, MatchExpressions: formed.MatchExpressions})
		if err != nil {
			return nil
		}
		return s
	}
	var plain map[string]string
	if json.Unmarshal(raw, &plain) != nil || len(plain) == 0 {
		return nil
	}
	s, err := labels.ValidatedSelectorFromSet(plain)
	if err != nil {
		return nil
	}
	return s
}

// metadataOnly requests objects without spec and status.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
	"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

// objects lists and watches the objects of a kind in a namespace: all objects,
// or one with a given name.
type objects struct {
	client    *Client
	of        metav1.TypeMeta // names the kind until find has looked it up
	kind      Kind
	namespace string
	name      string // empty: all objects, metadata only
}

// resource names the objects in messages.
func (o *objects) resource() string {
	if o.kind.Resource == "" {
		return o.of.Kind + " objects"
	}
	return o.kind.groupResource()
}

// find looks up the kind unless it is known.
func (o *objects) find(ctx context.Context) (err error) {
	if o.kind.Resource == "" {
		o.kind, err = o.client.kindOfOwner(ctx, o.of)
	}
	return err
}

func (o *objects) request(options *metav1.ListOptions) *rest.Request {
	accept := metadataOnly
	if o.name != "" {
		options.FieldSelector = nameSelector(o.name)
		accept = "application/json"
	}
	return o.client.rest.Get().AbsPath(o.kind.path(o.namespace)).
		SetHeader("Accept", accept).SpecificallyVersionedParams(options, metav1.ParameterCodec, metav1.SchemeGroupVersion).
		MaxRetries(0) // the caller retries, after reporting the failure
}

func (o *objects) list(ctx context.Context, options metav1.ListOptions) (*objectList, error) {
	if err := o.find(ctx); err != nil {
		return nil, err
	}
	body, err := rawBody(o.request(&options).Do(ctx))
	if apierrors.IsForbidden(err) && o.gettable() {
		switch one, getErr := o.getOne(ctx); {
		case getErr == nil:
			list := &objectList{Items: []object{*one.(*object)}}
			list.ResourceVersion = list.Items[0].ResourceVersion
			return list, nil
		case isAbsent(getErr):
			return &objectList{}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	list := &objectList{}
	if err := json.Unmarshal(body, list); err != nil {
		return nil, fmt.Errorf("decode list: %w", err)
	}
	return list, nil
}

// gettable reports whether at most one object is selected, so that it can be
// read with get. Some users may get objects but not list or watch them.
func (o *objects) gettable() bool {
	return o.name != "" && (o.namespace != metav1.NamespaceAll || o.kind.Cluster)
}

// getOne gets the selected object.
func (o *objects) getOne(ctx context.Context) (runtime.Object, error) {
	body, err := rawBody(o.client.rest.Get().AbsPath(o.kind.path(o.namespace), o.name).
		SetHeader("Accept", "application/json").MaxRetries(0).Do(ctx))
	if err != nil {
		return nil, err
	}
	one := &object{}
	if err := json.Unmarshal(body, one); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return one, nil
}

// listWatch lists and watches the objects, and keeps the status up to date.
func (o *objects) listWatch(status *watchStatus) *cache.ListWatch {
	wrap := func(err error, verb string) error {
		where := o.namespace
		if o.kind.Cluster {
			where = metav1.NamespaceAll
		}
		return wrapListError(err, verb, o.resource(), where)
	}
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return o.list(ctx, options)
	}
	return newListWatch(status, wrap, list, o.watch)
}

func (o *objects) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if err := o.find(ctx); err != nil {
		return nil, err
	}
	body, err := o.request(&options).Stream(ctx)
	if apierrors.IsForbidden(err) && o.gettable() && options.SendInitialEvents == nil {
		return startPollWatch(ctx, o.getOne), nil
	}
	if err != nil {
		return nil, err
	}
	return watch.NewStreamWatcher(&objectEvents{body, json.NewDecoder(body)}, apierrors.NewClientErrorReporter(http.StatusInternalServerError, "watch", "")), nil
}

// objectEvents decodes a watch. It implements watch.Decoder.
type objectEvents struct {
	body    io.ReadCloser
	decoder *json.Decoder
}

// Decode implements watch.Decoder.
func (e *objectEvents) Decode() (watch.EventType, runtime.Object, error) {
	var event struct {
		Type   watch.EventType `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := e.decoder.Decode(&event); err != nil {
		return "", nil, err
	}
	if event.Type == watch.Error {
		status := &metav1.Status{}
		if err := json.Unmarshal(event.Object, status); err != nil {
			return "", nil, err
		}
		return event.Type, status, nil
	}
	o := &object{}
	if err := json.Unmarshal(event.Object, o); err != nil {
		return "", nil, fmt.Errorf("decode watch event: %w", err)
	}
	return event.Type, o, nil
}

// Close implements watch.Decoder.
func (e *objectEvents) Close() { _ = e.body.Close() } // errors do not matter after reading

package lease

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// Of the ConfigMap.
const (
	formAnnotation = "windvane.io/handover"
	form           = "1"        // of what is in it
	largest        = 900 << 10  // bytes of it all, compressed: an object may have a mebibyte
	largestMesh    = 128 << 20  // bytes of one mesh, not compressed, that are read
	fieldManager   = "windvane" // under which windvane writes
)

// TooLargeError says that what is to be handed over is more than an object can hold.
type TooLargeError struct {
	Mesh  string
	Bytes int // of all meshes, compressed
}

// Error says what to do.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("mesh %s: with it the handover is of %d bytes, of which an object holds %d; have fewer meshes share a lease", e.Mesh, e.Bytes, largest)
}

// Handover is what holders of a lease leave to the next one: a ConfigMap with a document of
// JSON for each mesh, compressed. It is used by several goroutines.
type Handover struct {
	client          rest.Interface
	namespace, name string

	mu     sync.Mutex
	object *configMap        // as read or written last; nil: not known
	own    map[string][]byte // by mesh: what it was when that mesh was read or written last
}

// configMap is what windvane has of one.
type configMap struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	BinaryData map[string][]byte `json:"binaryData,omitempty"`
}

type metadata struct {
	Namespace       string            `json:"namespace"`
	Name            string            `json:"name"`
	ResourceVersion string            `json:"resourceVersion,omitempty"` // empty: it does not exist
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

// NewHandover returns the one of a name. The client is fenced.
func NewHandover(client rest.Interface, namespace, name string) *Handover {
	return &Handover{client: client, namespace: namespace, name: name, own: map[string][]byte{}}
}

func (h *Handover) String() string { return "ConfigMap " + h.namespace + "/" + h.name }

func (h *Handover) path() string {
	return "/api/v1/namespaces/" + h.namespace + "/configmaps"
}

// Read fills v with what was left of a mesh, as it is in the cluster now; false if nothing was.
// An object that is not windvane's, or is damaged, is an error.
func (h *Handover) Read(ctx context.Context, mesh string, v any) (found bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.object = nil
	object, err := h.get(ctx)
	if err != nil {
		return false, err
	}
	h.object = object
	raw, found := object.BinaryData[mesh]
	h.own[mesh] = raw
	if found {
		if err := unpack(raw, v); err != nil {
			return false, fmt.Errorf("%s: what it has of mesh %s is damaged: %w; %s", h, mesh, err, h.way())
		}
	}
	return found, nil
}

// way is the one out.
func (h *Handover) way() string {
	return fmt.Sprintf("`kubectl delete configmap -n %s %s` has the next holder go on from its own journal, or name the lease otherwise", h.namespace, h.name)
}

func (h *Handover) get(ctx context.Context) (*configMap, error) {
	answer, err := do(ctx, h.client.Get().AbsPath(h.path(), h.name))
	if apierrors.IsNotFound(err) {
		return &configMap{
			APIVersion: "v1", Kind: "ConfigMap",
			Metadata: metadata{Namespace: h.namespace, Name: h.name, Annotations: map[string]string{formAnnotation: form}},
		}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h, err)
	}
	object := &configMap{}
	if err := json.Unmarshal(answer, object); err != nil {
		return nil, fmt.Errorf("read %s: the API server's answer: %w", h, err)
	}
	if found := object.Metadata.Annotations[formAnnotation]; found != form {
		return nil, fmt.Errorf("%s is not one that this windvane understands: its annotation %s is %q, not %q; %s", h, formAnnotation, found, form, h.way())
	}
	return object, nil
}

// Write leaves what v is of a mesh. It has to be read first, in the same term: what another
// has written since is an error, after which it is to be read again.
func (h *Handover) Write(ctx context.Context, mesh string, v any) error {
	raw, err := pack(v)
	if err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.object == nil || !bytes.Equal(h.object.BinaryData[mesh], h.own[mesh]) {
		return fmt.Errorf("%s: %w", h, ErrUnread)
	}
	next := *h.object
	next.BinaryData = map[string][]byte{mesh: raw}
	size := len(raw)
	for name, other := range h.object.BinaryData {
		if name != mesh {
			next.BinaryData[name] = other
			size += len(other)
		}
	}
	if size > largest {
		return &TooLargeError{Mesh: mesh, Bytes: size}
	}
	written, err := h.put(ctx, next)
	if err != nil {
		h.object = nil // whether it was written is not known
		return fmt.Errorf("write %s: %w", h, errors.Join(err, ErrUnread))
	}
	next.Metadata.ResourceVersion = written.Metadata.ResourceVersion
	h.object, h.own[mesh] = &next, raw
	return nil
}

// ErrUnread is the error of Write where Read comes first.
var ErrUnread = errors.New("what is in the cluster has to be read first")

func (h *Handover) put(ctx context.Context, next configMap) (written configMap, err error) {
	body, err := json.Marshal(next)
	if err != nil {
		return written, err
	}
	q := h.client.Put().AbsPath(h.path(), h.name)
	if next.Metadata.ResourceVersion == "" {
		q = h.client.Post().AbsPath(h.path())
	}
	answer, err := do(ctx, q.Param("fieldManager", fieldManager).SetHeader("Content-Type", "application/json").Body(body))
	if err != nil {
		return written, err
	}
	return written, json.Unmarshal(answer, &written)
}

// do asks once: the next cycle is the next try. The error of a refusal has the server's words.
func do(ctx context.Context, q *rest.Request) ([]byte, error) {
	return q.SetHeader("Accept", "application/json").MaxRetries(0).Do(ctx).Raw()
}

func pack(v any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	err := errors.Join(json.NewEncoder(z).Encode(v), z.Close())
	return b.Bytes(), err
}

func unpack(raw []byte, v any) error {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(z, largestMesh+1)) // the checksum is at its end
	if err != nil {
		return err
	}
	if len(text) > largestMesh {
		return fmt.Errorf("it is larger than %d bytes", largestMesh)
	}
	return json.Unmarshal(text, v)
}

package alerts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Bounds of what a message may hold. The largest that Alertmanager sends in practice are
// some hundred alerts of one or two kilobytes.
const (
	maxBody   = 4 << 20   // bytes
	maxLabels = 100       // of an alert
	maxLeft   = 1_000_000 // alerts that Alertmanager left out; more are said to be so many
)

// errTooLarge says that a message is larger than any that can be kept.
var errTooLarge = errors.New("too large; set max_alerts in the receiver's webhook_config")

// message is what is read of a notification.
type message struct {
	alerts    []alert
	truncated uint64 // alerts that Alertmanager left out
}

// alert is one alert of a message, as it was sent.
type alert struct {
	fingerprint  string
	resolved     bool
	starts, ends time.Time // UTC; ends is zero while it fires
	labels       map[string]string
	meshes       []string // that it belongs to; not of the message
}

// decode reads one message. It holds no more of it in memory than Capacity alerts and
// the body's bytes, whatever the body is. Members that are not known are passed over:
// Alertmanager adds some without a new version.
func decode(r io.Reader) (message, error) {
	d := decoder{json.NewDecoder(r)}
	var m message
	version, listed := "", false
	err := d.object(func(name string) error {
		switch name {
		case "version":
			return d.value(&version)
		case "truncatedAlerts":
			return d.value(&m.truncated)
		case "alerts":
			listed, m.alerts = true, nil
			return d.array(func() error {
				if len(m.alerts) == Capacity {
					return fmt.Errorf("more than %d alerts: %w", Capacity, errTooLarge)
				}
				a, err := d.alert()
				m.alerts = append(m.alerts, a)
				return err
			})
		}
		return d.value(&skipped{})
	})
	switch {
	case errors.Is(err, io.EOF):
		return message{}, io.ErrUnexpectedEOF
	case err != nil:
		return message{}, err
	case version != "4":
		return message{}, fmt.Errorf("version %q, want \"4\": a receiver with a payload of its own cannot be read", clean(version, 16))
	case !listed:
		return message{}, errors.New("no alerts: a receiver with a payload of its own cannot be read")
	}
	if _, err := d.json.Token(); !errors.Is(err, io.EOF) {
		return message{}, errors.Join(errors.New("something follows the message"), err)
	}
	m.truncated = min(m.truncated, maxLeft)
	return m, nil
}

func (d decoder) alert() (alert, error) {
	a := alert{labels: map[string]string{}}
	status := ""
	err := d.object(func(name string) error {
		switch name {
		case "status":
			return d.value(&status)
		case "fingerprint":
			return d.value(&a.fingerprint)
		case "startsAt":
			return d.time(&a.starts)
		case "endsAt":
			return d.time(&a.ends)
		case "labels":
			clear(a.labels)
			return d.object(func(name string) error {
				if len(a.labels) == maxLabels {
					return fmt.Errorf("more than %d labels: %w", maxLabels, errTooLarge)
				}
				value := ""
				err := d.value(&value)
				a.labels[name] = value
				return err
			})
		}
		return d.value(&skipped{})
	})
	a.resolved = status == "resolved"
	switch {
	case err != nil:
		return a, err
	case status != "firing" && status != "resolved":
		return a, fmt.Errorf("status %q, want firing or resolved", clean(status, 16))
	case a.fingerprint == "" || len(a.fingerprint) > 64:
		return a, fmt.Errorf("a fingerprint of %d bytes, want 1 to 64", len(a.fingerprint))
	case a.starts.IsZero():
		return a, errors.New("no startsAt")
	}
	return a, nil
}

// skipped takes any value and keeps nothing of it.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// decoder reads JSON without holding what is not asked for.
type decoder struct{ json *json.Decoder }

func (d decoder) value(v any) error { return d.json.Decode(v) }

// time reads a time in UTC. One that could not be written again is none.
func (d decoder) time(t *time.Time) error {
	text := ""
	if err := d.value(&text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("%q is no time as in RFC 3339", clean(text, 40))
	}
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		return fmt.Errorf("%q is out of range", clean(text, 40))
	}
	*t = at
	return nil
}

// object calls member for each name, to read the value behind it. null is empty.
func (d decoder) object(member func(name string) error) error {
	return d.list('{', '}', func() error {
		t, err := d.json.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // the name of a member is nothing else
		if err := member(name); err != nil {
			return fmt.Errorf("%s: %w", clean(name, 40), err)
		}
		return nil
	})
}

// array calls item for each item, to read it. null is empty.
func (d decoder) array(item func() error) error { return d.list('[', ']', item) }

func (d decoder) list(open, closing json.Delim, each func() error) error {
	switch t, err := d.json.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != open:
		return fmt.Errorf("want a value that begins with %s", open)
	}
	for d.json.More() {
		if err := each(); err != nil {
			return err
		}
	}
	switch t, err := d.json.Token(); {
	case err != nil:
		return err
	case t != closing:
		return fmt.Errorf("want %s", closing)
	}
	return nil
}

package nn

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// The encoding: the magic, the number of sizes, the sizes, the parameters, and a
// CRC-32C of all that; little endian, 4 bytes each.
const (
	magic   = 0x316e6e77 // "wnn1"
	maxSize = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary writes the network.
func (n *Net) MarshalBinary() ([]byte, error) {
	out := make([]byte, 0, 4*(3+len(n.sizes)+len(n.params)))
	out = binary.LittleEndian.AppendUint32(out, magic)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(n.sizes)))
	for _, s := range n.sizes {
		out = binary.LittleEndian.AppendUint32(out, uint32(s))
	}
	for _, v := range n.params {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

var errDamaged = errors.New("network: it is not one, or damaged; train it again")

// UnmarshalBinary reads what MarshalBinary wrote. It is an error if the checksum
// differs or a parameter is not finite; the network then stays as it was.
func (n *Net) UnmarshalBinary(b []byte) error {
	if len(b) < 12 || len(b)%4 != 0 || binary.LittleEndian.Uint32(b) != magic {
		return errDamaged
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return errDamaged
	}
	count := binary.LittleEndian.Uint32(body[4:])
	body = body[8:]
	if count < 2 || uint64(len(body)) < 4*uint64(count) {
		return errDamaged
	}
	sizes, total := make([]int, count), 0
	for i := range sizes {
		s := binary.LittleEndian.Uint32(body[4*i:])
		if s < 1 || s > maxSize {
			return errDamaged
		}
		sizes[i] = int(s)
		if i > 0 {
			total += sizes[i] * (sizes[i-1] + 1)
		}
		if total > len(b) {
			return errDamaged
		}
	}
	body = body[4*count:]
	if len(body) != 4*total {
		return errDamaged
	}
	next := New(sizes...)
	for i := range next.params {
		v := math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return errDamaged
		}
		next.params[i] = v
	}
	*n = *next
	return nil
}

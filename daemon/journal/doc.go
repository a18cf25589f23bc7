// Package journal keeps windvane's record of what it saw, decided and did.
//
// A journal is a directory of append-only segments, 00000001.jsonl and on, of
// one JSON object a line:
//
//	{"seq":7,"at":"2026-01-02T03:04:05Z","mesh":"shop","kind":"intent","body":{...},"crc":"89abcdef"}
//
// crc is always the last member. It is the CRC-32C (Castagnoli), as eight lower-case
// hexadecimal digits, of every byte of the line before `,"crc":`. A record exists once
// its newline does; seq rises by one from record to record, across segments.
//
// What an intent has in common with the one before of its mesh is not written again: it
// has a member "base", the seq of that one, and "delta" says what became of the members
// services, limits, knobs, control, live, guarded, commanded, baseline, changes and
// authority_sources. The first in a segment and every 64th are whole, so that a segment can be read by itself. Reading puts
// the members back.
//
// Complete segments are compressed to 00000001.jsonl.zst (zstdcat reads them), and
// removed when they are too old or too many: Tidy.
//
// One process writes (it holds an flock on the directory), any number may read
// meanwhile without a lock. A crash or a failed write can leave a torn tail, which Open
// cuts off and keeps in a side file; whatever else does not read back is damage,
// and is an error that names the file and the line.
//
// What lives here is the file format, the bodies of the records and the ways to
// read them. What to record, and when it has to be on disk, is the loop's business;
// nothing here decides, measures or acts.
package journal

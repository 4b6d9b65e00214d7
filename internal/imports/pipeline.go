package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/scheduler"
)

// Rows travel in chunks, and records reach the sink in batches, both bounded in rows and in bytes: the memory of an
// import does not depend on its file. Batches are large because a database finds its place for each number anew: of
// 20,000 numbers at once many meet on the same pages, and in batches of half that size each costs a fifth more. They are
// not larger because on SQLite everybody else waits for a batch, up to half a second.
const (
	chunkRows  = 1000
	chunkBytes = 256 << 10
	batchRows  = 20_000
	batchBytes = 8 << 20
	// chunksAhead are read and checked while the sink is busy: half a batch, so that the sink does not wait for long.
	chunksAhead = batchRows / chunkRows / 2
)

// checker turns the cells of one row into a record. It is called from several goroutines. The rejection, if any,
// lacks its line.
type checker[T any] func(line int, cells []string) (T, note, *Rejection)

// checked is one row with what became of it.
type checked[T any] struct {
	row
	record    T
	note      note
	rejection *Rejection // nil when the record is good
}

// chunk is what travels from the reader over a worker to the collector.
type chunk[T any] struct {
	rows  []checked[T]
	bytes int
	read  int64         // bytes of the file read up to its end
	as    ReadAs        // how the file was understood up to here
	err   error         // why reading ended after it; io.EOF at the end
	done  chan struct{} // closed by the worker
}

// opened is what reading the header gave.
type opened struct {
	header header
	rows   source
	err    error
}

// run is every import: one goroutine reads, as many as there are processors check, the caller's collects in the order
// of the file. Checking is the slow part: libphonenumber takes some 10 µs for a number.
func run[T any](ctx context.Context, in io.Reader, o Options, c columns, check func(header, Options) checker[T],
	fold func([]T) []T, deliver func(context.Context, []T) (scheduler.ImportCounts, error)) (Result, error) {
	result := Result{ByReason: map[errcode.Code]int{}}
	if err := o.validate(); err != nil {
		return result, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	opening := make(chan opened, 1)
	go func() {
		h, r, err := open(in, c, o)
		opening <- opened{h, r, err}
	}()
	var file opened
	select {
	case file = <-opening:
	case <-ctx.Done():
		return result, stopped(ctx)
	}
	if file.err != nil {
		return result, file.err
	}

	workers := runtime.GOMAXPROCS(0)
	inOrder := make(chan *chunk[T], chunksAhead)
	jobs := make(chan *chunk[T], chunksAhead)
	used := make(chan *chunk[T], chunksAhead)
	go readChunks(ctx, file.rows, inOrder, jobs, used)
	one := check(file.header, o)
	for range workers {
		go checkChunks(jobs, file.header, one)
	}
	collect := collector[T]{
		result:   result,
		options:  o,
		fold:     fold,
		deliver:  deliver,
		used:     used,
		rejected: rejectedFile{header: file.header},
		seen:     map[note]*sighting{},
	}
	if !o.DryRun {
		collect.rejected.path = o.RejectedPath
	}
	err := collect.all(ctx, inOrder)
	return collect.finish(err)
}

func stopped(ctx context.Context) error {
	return fmt.Errorf("the import was stopped: %w", context.Cause(ctx))
}

// readChunks cuts the file into chunks, for the collector in order and for any worker.
func readChunks[T any](ctx context.Context, r source, inOrder, jobs chan<- *chunk[T], used <-chan *chunk[T]) {
	defer close(jobs)
	defer close(inOrder)
	for {
		c := &chunk[T]{}
		select {
		case c = <-used:
		default:
		}
		*c = chunk[T]{rows: c.rows[:0], done: make(chan struct{})}
		for len(c.rows) < chunkRows && c.bytes < chunkBytes {
			next, err := r.next()
			if err != nil {
				c.err = err
				break
			}
			c.rows = append(c.rows, checked[T]{row: next})
			c.bytes += next.size()
		}
		c.read, c.as = r.position(), r.readAs()
		for _, to := range []chan<- *chunk[T]{inOrder, jobs} {
			select {
			case to <- c:
			case <-ctx.Done():
				return
			}
		}
		if c.err != nil {
			return
		}
	}
}

func (r row) size() int {
	size := len(r.raw)
	for _, text := range r.cells {
		size += len(text)
	}
	return size
}

func checkChunks[T any](jobs <-chan *chunk[T], h header, check checker[T]) {
	for c := range jobs {
		for i := range c.rows {
			r := &c.rows[i]
			if r.rejection = checkShape(r.row, h); r.rejection == nil {
				r.record, r.note, r.rejection = check(r.line, r.cells)
				// A number that lost its last digits may be another person's.
				if r.cutOff && h.place("phone") == len(h.names)-1 {
					r.note |= noteCutOff
				}
				r.note |= r.doubts
			}
			if r.rejection != nil {
				r.rejection.Line = r.line
			}
		}
		close(c.done)
	}
}

// checkShape judges a row without knowing what its cells mean.
func checkShape(r row, h header) *Rejection {
	switch {
	case r.broken != "":
		return &Rejection{Reason: r.broken}
	case r.fault != nil:
		return r.fault
	case len(r.cells) < len(h.names):
		return &Rejection{Reason: reasonTooFew}
	case len(r.cells) > len(h.names):
		return &Rejection{Reason: reasonTooMany}
	}
	for _, text := range r.cells {
		if !utf8.ValidString(text) {
			return &Rejection{Reason: reasonNotUTF8}
		}
		// PostgreSQL keeps no text with a NUL.
		if strings.IndexByte(text, 0) >= 0 {
			return &Rejection{Reason: reasonNUL}
		}
	}
	for _, place := range h.unnamed {
		if cell(r.cells, place) != "" {
			return &Rejection{Reason: reasonUnnamed}
		}
	}
	return nil
}

// collector gathers checked rows into batches, in the order of the file.
type collector[T any] struct {
	result   Result
	options  Options
	fold     func([]T) []T // nil keeps every row
	deliver  func(context.Context, []T) (scheduler.ImportCounts, error)
	used     chan<- *chunk[T] // for the reader to use again
	rejected rejectedFile
	seen     map[note]*sighting
	batch    []T
	bytes    int
	line     int // the last one in the batch
}

func (c *collector[T]) all(ctx context.Context, inOrder <-chan *chunk[T]) error {
	for {
		var next *chunk[T]
		var open bool
		select {
		case next, open = <-inOrder:
		case <-ctx.Done():
			return stopped(ctx)
		}
		if !open {
			// The reader leaves without a last chunk only when ctx ends.
			return stopped(ctx)
		}
		select {
		case <-next.done:
		case <-ctx.Done():
			return stopped(ctx)
		}
		if err := c.add(ctx, next); err != nil {
			return err
		}
		switch {
		case errors.Is(next.err, io.EOF):
			return c.flush(ctx)
		case next.err != nil:
			return errors.Join(errcode.With(fmt.Errorf("reading the file after line %d: %w", c.line, next.err), errcode.FileUnreadable), c.flush(ctx))
		}
		clear(next.rows)
		select {
		case c.used <- next:
		default:
		}
	}
}

func (c *collector[T]) add(ctx context.Context, next *chunk[T]) error {
	c.result.ReadAs = next.as
	for i := range next.rows {
		r := &next.rows[i]
		c.line = r.line
		if blank(r.cells) && r.broken == "" {
			continue
		}
		c.result.Rows++
		if r.rejection != nil {
			c.result.reject(*r.rejection)
			c.rejected.add(r.row, r.rejection.Reason)
			continue
		}
		c.see(r.note, r.line)
		c.batch = append(c.batch, r.record)
		c.bytes += r.size()
		if len(c.batch) >= batchRows || c.bytes >= batchBytes {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
	if c.options.Progress != nil {
		c.options.Progress(next.read, c.result.Rows)
	}
	return nil
}

// blank reports whether no cell says anything, as in the rows that spreadsheets add at the end.
func blank(cells []string) bool {
	for _, text := range cells {
		if strings.TrimSpace(text) != "" {
			return false
		}
	}
	return true
}

func (c *collector[T]) see(n note, line int) {
	for _, one := range notes() {
		if n&one == 0 {
			continue
		}
		if c.seen[one] == nil {
			c.seen[one] = &sighting{}
		}
		c.seen[one].add(line)
	}
}

// flush hands the batch to the sink.
func (c *collector[T]) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	batch := c.batch
	if c.fold != nil {
		batch = c.fold(batch)
		c.result.Repeated += len(c.batch) - len(batch)
	}
	if len(batch) > 0 && !c.options.DryRun {
		counts, err := c.deliver(ctx, batch)
		if err != nil {
			return fmt.Errorf("storing the rows up to line %d (those of earlier batches are stored; importing the file again is safe): %w", c.line, err)
		}
		c.result.Counts = c.result.Counts.Plus(counts)
	}
	clear(c.batch)
	c.batch, c.bytes = c.batch[:0], 0
	return nil
}

func (c *collector[T]) finish(err error) (Result, error) {
	path, closeErr := c.rejected.close()
	c.result.RejectedFile = path
	c.result.Warnings = warnings(c.seen, c.options)
	return c.result, errors.Join(err, closeErr)
}

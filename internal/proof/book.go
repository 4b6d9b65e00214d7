package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// book is a file of JSON lines. A line is on the disk before Write returns; those who write together share one sync.
type book struct {
	file *os.File

	writing sync.Mutex
	mu      sync.Mutex
	group   *page
}

type page struct {
	text []byte
	done chan struct{}
	err  error
}

func openBook(path string) (*book, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the book of acknowledgements: %w", err)
	}
	return &book{file: f}, nil
}

func (b *book) write(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("writing the book: %w", err)
	}
	b.mu.Lock()
	first := b.group == nil
	if first {
		b.group = &page{done: make(chan struct{})}
	}
	p := b.group
	p.text = append(append(p.text, text...), '\n')
	b.mu.Unlock()
	if !first {
		<-p.done
		return p.err
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	b.group = nil
	b.mu.Unlock()
	_, err = b.file.Write(p.text)
	if err = errors.Join(err, b.file.Sync()); err != nil {
		p.err = fmt.Errorf("writing the book: %w", err)
	}
	close(p.done)
	return p.err
}

func (b *book) close() error { return b.file.Close() }

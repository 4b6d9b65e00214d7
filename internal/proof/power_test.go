package proof

import (
	native "encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// pageBytes is the size of the kernel's pages and of SQLite's.
const pageBytes = 4096

// unsynced are the pages of a file that a power cut may lose: the kernel has them, the disk may not. A file that is not there has none.
func unsynced(path string) (pages []int64, size int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only looked at
	at, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	for offset := int64(0); offset < at.Size(); offset += pageBytes {
		n, err := dirty(f, uint64(offset), pageBytes)
		if err != nil {
			return nil, 0, err
		}
		if n > 0 {
			pages = append(pages, offset)
		}
	}
	return pages, at.Size(), nil
}

// dirty is how many pages of a part of a file are not on the disk (cachestat(2), Linux 6.5); no length is all that follows.
func dirty(f *os.File, offset, length uint64) (uint64, error) {
	const cachestat = 451 // its number on every architecture
	span := [2]uint64{offset, length}
	var found struct{ cached, dirty, writeback, evicted, recent uint64 }
	if _, _, failed := syscall.Syscall6(cachestat, f.Fd(), uintptr(unsafe.Pointer(&span)), uintptr(unsafe.Pointer(&found)), 0, 0, 0); failed != 0 {
		return 0, fmt.Errorf("asking what of a file is on the disk: %w", failed)
	}
	return found.dirty + found.writeback, nil
}

// midSync waits, not for long, until a file has something that is not on the disk.
func midSync(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // there is nothing to wait for
	}
	defer func() { _ = f.Close() }() // it was only looked at
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
		if n, err := dirty(f, 0, 0); err != nil || n > 0 {
			return
		}
	}
}

// tellsSynced reports whether the kernel tells, for files of this folder, what is on the disk: it does so since Linux 6.5, and not of
// file systems in memory or laid over others.
func tellsSynced(dir string) bool {
	f, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return false
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }() // a probe
	if _, err := f.Write(make([]byte, pageBytes)); err != nil {
		return false
	}
	before, _, err := unsynced(f.Name())
	if err != nil || len(before) != 1 || f.Sync() != nil {
		return false
	}
	after, _, err := unsynced(f.Name())
	return err == nil && len(after) == 0
}

// frozen waits until no thread of a stopped process runs. Those in the middle of a sync go on to its end: they count as well when
// syncing is right, and are waited for when not.
func frozen(pid int, syncing bool) error {
	for deadline := time.Now().Add(patience); ; {
		err := still(pid, syncing)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func still(pid int, syncing bool) error {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(tasks) == 0 {
		return fmt.Errorf("no threads of process %d: %w", pid, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		behind := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if state := strings.TrimSpace(behind)[:1]; state != "T" && (state != "D" || !syncing) {
			return fmt.Errorf("%s is %s", task, state)
		}
	}
	return nil
}

// image is what a disk may hold after a power cut.
type image struct {
	path string // of the database; its log is beside it
	torn int64  // how many bytes may have been lost or scrambled
}

// cut makes the image of a SQLite database whose process p has been told to stand still. What was synced is there; each other page may be
// there, hold something else, or be gone with all behind it. Without the kernel's word on what was synced the log's own index is believed.
func cut(p *process, database, into string, told bool, chance *rand.Rand) (image, error) {
	made := image{path: filepath.Join(into, "permesso.db")}
	if err := frozen(p.cmd.Process.Pid, true); err != nil {
		return made, err
	}
	var lostLog, lostFile []int64
	if told {
		var errs [2]error
		// The log first: a sync that is under way ends meanwhile.
		lostLog, _, errs[0] = unsynced(database + "-wal")
		lostFile, _, errs[1] = unsynced(database)
		if err := errors.Join(errs[:]...); err != nil {
			return made, err
		}
	}
	if err := frozen(p.cmd.Process.Pid, false); err != nil {
		return made, err
	}
	file, err := os.ReadFile(database)
	if err != nil {
		return made, err
	}
	log, err := os.ReadFile(database + "-wal")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return made, err
	}
	commit, err := committed(database + "-shm")
	if err != nil {
		return made, err
	}
	from := min(commit, int64(len(log)))
	if told {
		from = min(syncedTo(lostLog, commit), int64(len(log)))
	}
	// Only a checkpoint writes here, and all that it writes is in the log, which was synced before.
	for _, offset := range lostFile {
		if end := min(offset+pageBytes, int64(len(file))); chance.IntN(2) == 0 {
			made.torn += scramble(file[offset:end], chance)
		}
	}
	log, torn := tear(log, from, chance)
	made.torn += torn
	return made, errors.Join(os.WriteFile(made.path, file, 0o600), os.WriteFile(made.path+"-wal", log, 0o600))
}

// committed is how far the log was committed by the word of its index: the number of its last frame stands in the index's header
// (SQLite, "WAL-mode File Format", 2.1).
func committed(index string) (int64, error) {
	f, err := os.Open(index)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var header [20]byte
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return 0, fmt.Errorf("reading the log's index: %w", err)
	}
	const head, frameHead = 32, 24
	return head + int64(native.NativeEndian.Uint32(header[16:]))*(frameHead+pageBytes), nil
}

// syncedTo is how far the log is on the disk, by the pages that are not; commit is where its index says that the last commit ends. The
// page in which that commit ends is written again with what follows, and what was there keeps its bytes.
func syncedTo(lost []int64, commit int64) int64 {
	switch {
	case len(lost) == 0:
		return 1 << 62
	case lost[0] <= commit && commit < lost[0]+pageBytes:
		return commit
	}
	return lost[0]
}

// tear loses and scrambles what comes after an offset: nothing of it, some, or all.
func tear(log []byte, from int64, chance *rand.Rand) ([]byte, int64) {
	left := int64(len(log)) - from
	if left <= 0 {
		return log, 0
	}
	end := from + chance.Int64N(left+1)
	lost := int64(len(log)) - end
	switch chance.IntN(3) {
	case 0:
		log = log[:end]
	case 1:
		clear(log[end:])
	default:
		lost = scramble(log[end:], chance)
	}
	return log, lost
}

// scramble overwrites sectors of a text at random.
func scramble(text []byte, chance *rand.Rand) (lost int64) {
	const sector = 512
	for at := 0; at < len(text); at += sector {
		if chance.IntN(2) == 0 {
			continue
		}
		for i := at; i < min(at+sector, len(text)); i++ {
			text[i] = byte(chance.Uint32())
			lost++
		}
	}
	return lost
}

// annihilate ends all of a server's processes at once, as a power cut of its machine would, save that the kernel keeps what it has.
func (c *cluster) annihilate() {
	c.t.Helper()
	postmaster := c.server.Process.Pid
	_ = c.server.Process.Signal(syscall.SIGSTOP) // so that it starts nobody anew
	err := frozen(postmaster, false)
	for _, pid := range childrenOf(postmaster) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended just now
	}
	if err == nil {
		err = eventually(patience, func() error {
			if left := childrenOf(postmaster); len(left) > 0 {
				return fmt.Errorf("%d processes of the server outlive its end", len(left))
			}
			return nil
		})
	}
	_ = c.server.Process.Kill()
	_ = c.server.Wait() // it ends by a signal
	c.server = nil
	if err != nil {
		c.t.Fatal(err)
	}
}

// childrenOf are the processes that a process started and that have not ended.
func childrenOf(parent int) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var pid, of int
		var state string
		behind := text[strings.LastIndexByte(string(text), ')')+1:]
		if _, err := fmt.Sscan(string(behind), &state, &of); err != nil || of != parent || state == "Z" {
			continue
		}
		if _, err := fmt.Sscanf(string(text), "%d ", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes are all of a server's, itself first.
func (c *cluster) processes() []int {
	return append([]int{c.server.Process.Pid}, childrenOf(c.server.Process.Pid)...)
}

// revive starts the server again if it gave up, as whoever looks after it would.
func (c *cluster) revive() {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.server.Process.Pid))
	if err == nil && !strings.Contains(string(text[strings.LastIndexByte(string(text), ')'):]), " Z ") {
		return
	}
	_ = c.server.Wait() // it said why in its log
	c.start()
}

package peers

import (
	"os/exec"
	"runtime"
	"time"
)

// child is a started program with its process group.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed after Wait has returned
	err  error         // Wait's; read after done
}

// startChild starts cmd as the leader of a process group. On Linux the kernel kills it when this process dies; since
// the kernel ties that to the thread that started it, one thread is held for the program's life.
func startChild(cmd *exec.Cmd) (*child, error) {
	groupLeader(cmd)
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// kill ends the whole group at once.
func (c *child) kill() {
	if !c.ended() {
		signalGroup(c.cmd.Process, true)
	}
}

// terminate asks the group to end and kills it after patience.
func (c *child) terminate(patience time.Duration) {
	if c.ended() {
		return
	}
	signalGroup(c.cmd.Process, false)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
		c.kill()
	}
	<-c.done
}

// ended says whether the program is gone.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

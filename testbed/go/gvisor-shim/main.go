// Command containerd-shim-runsc-v1 is gVisor's containerd shim for machines where root may not lower an OOM score.
//
// The stock program ends when it cannot do that (CAP_SYS_RESOURCE is missing in many containers and virtual machines), so
// this one serves the same shim and starts its daemon itself.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/containerd/containerd/namespaces"
	containerd "github.com/containerd/containerd/runtime/v2/shim"
	"gvisor.dev/gvisor/pkg/shim"
)

func main() {
	containerd.Run("io.containerd.runsc.v1", newService)
}

// service is gVisor's shim but for the start of its daemon.
type service struct {
	containerd.Shim
}

func newService(ctx context.Context, id string, publisher containerd.Publisher, shutdown func()) (containerd.Shim, error) {
	inner, err := shim.New(ctx, id, publisher, shutdown)
	if err != nil {
		return nil, err
	}
	return &service{inner}, nil
}

// StartShim starts the daemon of a pod and returns the address of its socket, which containerd also reads from a file.
func (s *service) StartShim(ctx context.Context, opts containerd.StartOpts) (string, error) {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return "", err
	}
	address, err := containerd.SocketAddress(ctx, opts.Address, opts.ID)
	if err != nil {
		return "", err
	}
	socket, err := listen(address)
	if err != nil {
		return "", err
	}
	if socket == nil {
		return address, containerd.WriteAddress("address", address)
	}
	pid, err := startDaemon(namespace, opts, socket)
	if err != nil {
		return "", err
	}
	if err := containerd.WritePidFile("shim.pid", pid); err != nil {
		return "", err
	}
	return address, containerd.WriteAddress("address", address)
}

// listen opens the socket; nil if a daemon serves it already.
func listen(address string) (*net.UnixListener, error) {
	socket, err := containerd.NewSocket(address)
	if err == nil {
		return socket, nil
	}
	if !containerd.SocketEaddrinuse(err) {
		return nil, fmt.Errorf("open the socket of the shim: %w", err)
	}
	if containerd.CanConnect(address) {
		return nil, nil
	}
	if err := containerd.RemoveSocket(address); err != nil {
		return nil, fmt.Errorf("remove the socket of a dead shim: %w", err)
	}
	return containerd.NewSocket(address)
}

func startDaemon(namespace string, opts containerd.StartOpts, socket *net.UnixListener) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	file, err := socket.File()
	if err != nil {
		return 0, err
	}
	args := []string{"-namespace", namespace, "-address", opts.Address, "-publish-binary", opts.ContainerdBinary}
	if opts.Debug {
		args = append(args, "-debug")
	}
	daemon := exec.Command(self, args...)
	daemon.Env = append(os.Environ(), "GOMAXPROCS=2")
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	daemon.ExtraFiles = []*os.File{file}
	if err := daemon.Start(); err != nil {
		return 0, err
	}
	return daemon.Process.Pid, nil
}

package api

import (
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerName is the user on the other end of a socket, as the kernel says.
func peerName(c net.Conn) string {
	local, ok := c.(*net.UnixConn)
	if !ok {
		return socketUser
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return socketUser
	}
	name := socketUser
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		name = "user " + strconv.FormatUint(uint64(peer.Uid), 10)
		if u, err := user.LookupId(strconv.FormatUint(uint64(peer.Uid), 10)); err == nil {
			name = u.Username
		}
	})
	if err != nil {
		return socketUser
	}
	return name
}

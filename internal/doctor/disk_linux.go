package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mayWrite returns why this user may not write a file or folder, without writing.
func mayWrite(path string) error { return unix.Access(path, unix.W_OK) }

// fileSystem is the name of a folder's, or its number where it has no name here.
func fileSystem(folder string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return "", err
	}
	names := map[uint32]string{
		unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "cifs",
		unix.SMB2_SUPER_MAGIC: "smb2",
		unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p", unix.CEPH_SUPER_MAGIC: "ceph", unix.AFS_SUPER_MAGIC: "afs",
		unix.EXT4_SUPER_MAGIC: "ext", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.TMPFS_MAGIC: "tmpfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	}
	kind := uint32(s.Type) // its width depends on the machine, its values have 32 bits
	if name, known := names[kind]; known {
		return name, nil
	}
	return fmt.Sprintf("type %#x", kind), nil
}

// freeSpace is what this user may still write, in bytes.
func freeSpace(folder string) (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(folder, &s)
	return int64(s.Bavail) * int64(s.Bsize), err //nolint:unconvert // on some machines it has 32 bits
}

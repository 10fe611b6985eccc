/*
 * LD_PRELOAD shim for smbd (Samba 4.17): a file or folder with the extended
 * attribute user.reparse is a reparse point, as a Windows server shows one.
 * The attribute is what FSCTL_GET_REPARSE_POINT answers (MS-FSCC 2.1.2.2):
 * the tag, the length of the data, two bytes of nothing, the data.  Samba
 * knows the attribute and the control code, but never sets the one nor
 * answers the other.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>

#define ATTRIBUTE_NORMAL 0x80u
#define ATTRIBUTE_REPARSE_POINT 0x400u
#define FSCTL_GET_REPARSE_POINT 0x900A8u
#define ATTRIBUTE_TAG_INFORMATION (1000 + 35)
#define POINT_MAX 16384

/* Of the entry that was asked about last. */
static __thread uint32_t last_tag;

/* Its size, or less than 8 if it is none. */
static ssize_t point_of(void *fsp, uint8_t point[POINT_MAX])
{
	static int (*fd_of)(const void *);
	char path[64];

	if (fd_of == NULL) {
		fd_of = (int (*)(const void *))dlsym(RTLD_NEXT, "fsp_get_pathref_fd");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd_of(fsp));
	return getxattr(path, "user.reparse", point, POINT_MAX);
}

uint32_t fdos_mode(void *fsp)
{
	static uint32_t (*real)(void *);
	uint8_t point[POINT_MAX];
	uint32_t mode;

	if (real == NULL) {
		real = (uint32_t (*)(void *))dlsym(RTLD_NEXT, "fdos_mode");
	}
	mode = real(fsp);
	last_tag = 0;
	if (fsp == NULL || point_of(fsp, point) < 8) {
		return mode;
	}
	memcpy(&last_tag, point, sizeof(last_tag));
	return (mode & ~ATTRIBUTE_NORMAL) | ATTRIBUTE_REPARSE_POINT;
}

typedef uint32_t (*entry_fn)(void *, void *, void *, uint16_t, const char *, uint32_t,
	int, int, bool, bool, bool, uint8_t, bool, char **, char *, char *, int,
	void **, bool *, int *, void *, void *);

/* In a listing Samba says of every reparse point that it is one of DFS. */
uint32_t smbd_dirptr_lanman2_entry(void *ctx, void *conn, void *dirptr, uint16_t flags2,
	const char *mask, uint32_t dirtype, int level, int resume_key, bool dont_descend,
	bool ask_sharemode, bool get_dosmode, uint8_t align, bool do_pad, char **ppdata,
	char *base, char *end, int space, void **smb_fname, bool *exact, int *last_off,
	void *names, void *file_id)
{
	static entry_fn real;
	uint32_t status, attributes;

	if (real == NULL) {
		real = (entry_fn)dlsym(RTLD_NEXT, "smbd_dirptr_lanman2_entry");
	}
	status = real(ctx, conn, dirptr, flags2, mask, dirtype, level, resume_key, dont_descend,
		      ask_sharemode, get_dosmode, align, do_pad, ppdata, base, end, space,
		      smb_fname, exact, last_off, names, file_id);
	if (status == 0) {
		memcpy(&attributes, base + *last_off + 56, sizeof(attributes));
		if (attributes & ATTRIBUTE_REPARSE_POINT) {
			memcpy(base + *last_off + 64, &last_tag, sizeof(last_tag));
		}
	}
	return status;
}

typedef uint32_t (*info_fn)(void *, void *, void *, uint16_t, void *, void *, bool,
	struct timespec, void *, int, char *, uint16_t, unsigned int, size_t *, char **,
	unsigned int *);

uint32_t smbd_do_qfilepathinfo(void *conn, void *ctx, void *req, uint16_t level, void *fsp,
	void *smb_fname, bool delete_pending, struct timespec write_time, void *eas,
	int lock_count, char *lock, uint16_t flags2, unsigned int max, size_t *fixed,
	char **ppdata, unsigned int *size)
{
	static info_fn real;
	uint32_t status;

	if (real == NULL) {
		real = (info_fn)dlsym(RTLD_NEXT, "smbd_do_qfilepathinfo");
	}
	status = real(conn, ctx, req, level, fsp, smb_fname, delete_pending, write_time, eas,
		      lock_count, lock, flags2, max, fixed, ppdata, size);
	if (status == 0 && level == ATTRIBUTE_TAG_INFORMATION && *size == 8) {
		memcpy(*ppdata + 4, &last_tag, sizeof(last_tag));
	}
	return status;
}

typedef uint32_t (*control_fn)(void *, void *, void *, uint32_t, uint16_t, const uint8_t *,
	uint32_t, uint8_t **, uint32_t, uint32_t *);

uint32_t smb_vfs_call_fsctl(void *handle, void *fsp, void *ctx, uint32_t function,
	uint16_t flags, const uint8_t *in, uint32_t in_len, uint8_t **out, uint32_t max,
	uint32_t *out_len)
{
	static control_fn real;
	static void *(*copy)(const void *, const void *, size_t, const char *);
	uint8_t point[POINT_MAX];
	ssize_t size;

	if (real == NULL) {
		real = (control_fn)dlsym(RTLD_NEXT, "smb_vfs_call_fsctl");
		copy = (void *(*)(const void *, const void *, size_t, const char *))
			dlsym(RTLD_DEFAULT, "_talloc_memdup");
	}
	if (function == FSCTL_GET_REPARSE_POINT) {
		size = point_of(fsp, point);
		if (size >= 8 && (size_t)size <= max) {
			*out = copy(ctx, point, (size_t)size, "a reparse point");
			*out_len = (uint32_t)size;
			return 0;
		}
	}
	return real(handle, fsp, ctx, function, flags, in, in_len, out, max, out_len);
}

/*
 * libFuzzer: any registers as a refused call of this very process, whose memory holds the rest of the input, at the end of
 * a page: whatever they point to, arguments are text that any terminal may be shown, within their room. Also any text as
 * what line.h is given.
 */
#include <linux/audit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../wrapper/decode.h"
#include "../../wrapper/line.h"
#include "../../wrapper/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096 };

static void check(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length;) {
		size_t n = scan_utf8((const unsigned char *)text + i, length - i);

		if (n == 0 || (unsigned char)text[i] < ' ' || text[i] == 0x7f ||
		    (n == 2 && (unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
			abort();
		i += n;
	}
}

static void check_lines(const char *text, size_t size)
{
	for (size_t room = 1; room < 80; room += 13) {
		char *small = malloc(room);
		struct line l;

		if (small == NULL)
			abort();
		line_begin(&l, small, room);
		line_plain(&l, text, size);
		check(small);
		line_begin(&l, small, room);
		line_quoted(&l, text, size, 32, false);
		check(small);
		free(small);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 4711 };
	static char *page;
	struct seccomp_data d = { 0 };
	struct decoded *decoded = malloc(sizeof *decoded);
	size_t used = 3, left;
	char *at;

	if (page == NULL) {
		page = mmap((void *)0x10000000, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		munmap(page + PAGE, PAGE);
	}
	if (size < 3 + 6 || decoded == NULL) {
		free(decoded);
		return 0;
	}
	d.arch = arches[data[0] % 4];
	d.nr = (data[1] | data[2] << 8) % 600;
	left = size - 9 < PAGE ? size - 9 : PAGE;
	at = page + PAGE - left;
	memcpy(at, data + 9, left);
	/* pointers inside of each other are likely: arguments of programs, structs */
	for (size_t i = 0; i + 8 <= left; i += 8)
		if (at[i] == '@')
			memcpy(at + i, &(char *){ at + left - (unsigned char)at[i + 1] % (left + 1) }, sizeof at);
	for (unsigned i = 0; i < 6; i++, used++)
		switch (data[used] & 3) {
		case 0: d.args[i] = data[used] >> 2; break;
		case 1: d.args[i] = (uintptr_t)(page + PAGE - data[used] % (left + 1)); break;
		case 2: d.args[i] = ~(uint64_t)0 << (data[used] >> 2); break;
		default: d.args[i] = (uint64_t)data[used] << (data[used] >> 2); break;
		}
	decode_call(decoded, &d, getpid(), true);
	check(decoded->name);
	if (decoded->count > 6)
		abort();
	for (unsigned i = 0; i < decoded->count; i++) {
		if (decoded->args[i] < decoded->text || decoded->args[i] >= decoded->text + sizeof decoded->text)
			abort();
		check(decoded->args[i]);
	}
	check_lines((const char *)data, size);
	free(decoded);
	return 0;
}

/*
 * Any bytes as a log for stagefencectl audit: it does no harm, and what comes out is one line of printable ASCII a record
 * and a closing one, as text; as JSON, lines without control characters. For libFuzzer; with wrapper's parts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../wrapper/audit.h"

static void judge(const char *text, size_t size, uint64_t lines, int json)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		lines -= c == '\n';
		if (c != '\n' && (c < ' ' || c == 0x7f || (!json && c > '~')))
			abort();
	}
	if (lines != 0 || size == 0 || text[size - 1] != '\n')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int json = 0; json < 2; json++) {
		char *text = NULL;
		size_t length = 0;
		FILE *out = open_memstream(&text, &length);
		struct audit t = { .out = out, .json = json, .abi = ABI_X86_64 };
		const char *at = (const char *)data, *end = at + size;

		if (out == NULL)
			abort();
		while (at < end) {
			const char *newline = memchr(at, '\n', (size_t)(end - at));
			const char *next = newline == NULL ? end : newline;

			audit_line(&t, at, (size_t)(next - at));
			at = next + 1;
		}
		audit_close(&t);
		fclose(out);
		judge(text, length, t.refused + t.logged + 1, json);
		free(text);
	}
	return 0;
}

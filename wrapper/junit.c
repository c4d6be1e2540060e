#include "junit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "mem.h"
#include "plain.h"
#include "say.h"

/* As it may stand between tags, or in quotes, where a reader makes spaces of line ends and tabs. */
static void put(FILE *to, struct arena *a, const char *text, bool quoted)
{
	for (const char *p = plain_text(a, text, strlen(text)); *p != '\0'; p++)
		switch (*p) {
		case '&': fputs("&amp;", to); break;
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '"': fputs("&quot;", to); break;
		case '\n': fputs(quoted ? "&#10;" : "\n", to); break;
		case '\t': fputs(quoted ? "&#9;" : "\t", to); break;
		default: putc(*p, to);
		}
}

static void put_attribute(FILE *to, struct arena *a, const char *name, const char *text)
{
	fprintf(to, " %s=\"", name);
	put(to, a, text, true);
	putc('"', to);
}

static void put_sums(FILE *to, const struct result *results, size_t count)
{
	size_t failed = 0, skipped = 0;
	double seconds = 0;

	for (size_t i = 0; i < count; i++) {
		failed += results[i].verdict == FAILED;
		skipped += results[i].verdict == SKIPPED;
		seconds += results[i].seconds;
	}
	fprintf(to, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\">\n",
	    count, failed, skipped, seconds);
}

static void put_case(FILE *to, struct arena *a, const struct result *r)
{
	const char *tag = r->verdict == SKIPPED ? "skipped" : "failure";

	fputs("    <testcase", to);
	put_attribute(to, a, "classname", r->suite);
	put_attribute(to, a, "name", r->name);
	put_attribute(to, a, "file", r->file);
	fprintf(to, " line=\"%d\" time=\"%.3f\"", r->line, r->seconds);
	if (r->verdict == PASSED) {
		fputs("/>\n", to);
		return;
	}
	fprintf(to, ">\n      <%s", tag);
	put_attribute(to, a, "message", arena_text(a, r->why, strcspn(r->why, "\n")));
	putc('>', to);
	put(to, a, r->why, false);
	fprintf(to, "</%s>\n    </testcase>\n", tag);
}

static void put_all(FILE *to, const struct result *results, size_t count, struct arena *a)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"stagefence\"", to);
	put_sums(to, results, count);
	for (size_t first = 0, next; first < count; first = next) {
		for (next = first + 1; next < count; next++)
			if (results[next].suite != results[first].suite)
				break;
		fputs("  <testsuite", to);
		put_attribute(to, a, "name", results[first].suite);
		put_sums(to, results + first, next - first);
		for (size_t i = first; i < next; i++)
			put_case(to, a, &results[i]);
		fputs("  </testsuite>\n", to);
	}
	fputs("</testsuites>\n", to);
}

bool junit_write(const char *path, const struct result *results, size_t count, struct arena *a)
{
	struct stat st;
	char *text = NULL;
	size_t size = 0;
	FILE *to;
	bool good;

	/* root's rename would put a file in the place of /dev/null */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		say("%s: is there already, and no regular file", path);
		return false;
	}
	to = open_memstream(&text, &size);
	if (to != NULL)
		put_all(to, results, count, a);
	good = to != NULL && !ferror(to);
	if (to != NULL)
		good = fclose(to) == 0 && good;
	if (!good)
		say("%s: %s", path, strerror(errno));
	good = good && image_write(path, text, size);
	free(text);
	return good;
}

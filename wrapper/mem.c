#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { BLOCK_SIZE = 64 << 10, ALIGNMENT = 16 };

static const size_t arena_limit = (size_t)256 << 20;

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct block *block;
	size_t total;
};

static void *must_allocate(size_t size)
{
	void *at = calloc(1, size);

	if (at == NULL)
		die("out of memory");
	return at;
}

struct arena *arena_new(void)
{
	return must_allocate(sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	while (a->block != NULL) {
		struct block *next = a->block->next;

		free(a->block);
		a->block = next;
	}
	free(a);
}

void *arena_get(struct arena *a, size_t size)
{
	struct block *b = a->block;

	if (size > arena_limit)
		die("a policy that needs more than %zu MiB of memory", arena_limit >> 20);
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (b == NULL || b->size - b->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		a->total += room;
		if (a->total > arena_limit)
			die("a policy that needs more than %zu MiB of memory", arena_limit >> 20);
		b = must_allocate(sizeof *b + room);
		b->size = room;
		b->next = a->block;
		a->block = b;
	}
	b->used += size;
	return b->data + b->used - size;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		die("out of memory");
	return arena_get(a, count * size);
}

char *arena_text(struct arena *a, const char *text, size_t length)
{
	char *copy = arena_get(a, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	char none[1];
	int n;

	va_start(args, format);
	n = vsnprintf(none, sizeof none, format, args);
	va_end(args);
	if (n < 0)
		die("out of memory");
	text = arena_get(a, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void *arena_grow(struct arena *a, const void *items, size_t count, size_t size)
{
	void *more;

	/* full at 0 and at every power of two */
	if (count != 0 && (count & (count - 1)) != 0)
		return (void *)(uintptr_t)items;
	more = arena_array(a, count == 0 ? 1 : 2 * count, size);
	if (count != 0)
		memcpy(more, items, count * size);
	return more;
}

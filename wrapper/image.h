/*
 * image.h: writes policy images, from parts that grow. preload/image.h is the format.
 */
#ifndef STAGEFENCE_IMAGE_WRITER_H
#define STAGEFENCE_IMAGE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../preload/image.h"

struct arena;
struct seccomp_data;

struct image_builder {
	struct arena *arena;
	struct {
		char *data;
		uint32_t count;
	} part[IMAGE_PARTS];
	uint32_t no_stage, unknown_stage;
};

/* Appends an entry (or for the strings a text with its NUL) and returns its index (for texts: its
 * offset). */
uint32_t image_add(struct image_builder *b, enum image_part_name part, const void *entry);
uint32_t image_add_text(struct image_builder *b, enum image_part_name part, const char *text);

/* The finished image, which image_check() calls good. It belongs to the arena. */
const void *image_finish(struct image_builder *b, const uint8_t digest[32], size_t *size);

/*
 * What explains an answer: the rule of a stage's decision list that a call comes to, or NULL. The
 * call's ABI counts only for its number. The lists have no sum: a rule may say anything, but leads
 * nowhere outside of the image.
 */
const struct image_rule *image_decide(
    const struct image_header *h, uint32_t stage, const struct seccomp_data *d);

/* A text of IMAGE_NOTES, or "". */
const char *image_note(const struct image_header *h, uint32_t at);

/* To path, all or nothing: a reader sees the old file or the new one. False: it has been said why
 * not. */
bool image_write(const char *path, const void *data, size_t size);

#endif

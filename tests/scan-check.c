/*
 * scan-check FILE: what scan.c alone says of a policy's text, before any libconfig has seen it. Exit status 0: nothing.
 */
#include <stdio.h>

#include "../wrapper/say.h"
#include "../wrapper/scan.h"

int main(int argc, char **argv)
{
	static char text[2 << 20];
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	size_t size = f != NULL ? fread(text, 1, sizeof text, f) : 0;

	if (f == NULL)
		return 2;
	fclose(f);
	return scan_text(argv[1], text, size) ? 0 : 1;
}

#include <stdio.h>

#include "who.h"

int main(int argc, char **argv)
{
	printf("hello from the build, %s\n", who(argc, argv));
	return 0;
}

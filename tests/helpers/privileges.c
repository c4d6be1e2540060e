/*
 * privileges [CALL]: prints what a setuid or file-capability program got: "euid N caps HEX secure N", and with an
 * argument whether it may make the folder "made" and open /etc/passwd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[256];
	unsigned long long caps = 0;
	FILE *status = fopen("/proc/self/status", "r");

	(void)argv;
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (status == NULL)
		printf("euid %u secure %lu\n", geteuid(), getauxval(AT_SECURE));
	else
		printf("euid %u caps %llx secure %lu\n", geteuid(), caps, getauxval(AT_SECURE));
	if (argc > 1) {
		printf("mkdir %s\n", mkdir("made", 0777) == 0 ? "ok" : errno == EPERM ? "EPERM" : "?");
		printf("openat %s\n", open("/etc/passwd", O_RDONLY) >= 0 ? "ok" : errno == EPERM ? "EPERM" : "?");
	}
	return 0;
}

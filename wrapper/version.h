/* version.h: the version, here only; packages and CHANGELOG.md follow. */
#define VERSION "0.1.0"

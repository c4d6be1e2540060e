/*
 * notify.h: the supervisor of a stage with a listener: it tells each refused call, and refuses it;
 * or it passes the listener on to an agent. Started by stagefence, and by nobody else.
 */
#ifndef STAGEFENCE_NOTIFY_H
#define STAGEFENCE_NOTIFY_H

#include <stdbool.h>

/*
 * SOCKET IMAGE STAGE PROGRAM REPORT ANNOTATE: descriptors of the socket to the wrapper and of the
 * sealed policy image, indices of the stage and of the program that is raised, a file to report to
 * ("": none), a CI service to annotate for ("": none). Returns when the last confined process is
 * gone; false: it has been said why there was no supervision.
 */
bool notify_supervise(char **argv);

#endif

// SPDX-License-Identifier: MIT
// Tells the kernel that its clock is synchronised, as an NTP daemon does, or that it is not.
//   clockstatus synchronised|free
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

int main(int count, char **arguments)
{
	struct timex change = { .modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR };

	if (count != 2)
		return 64;
	change.status = strcmp(arguments[1], "free") == 0 ? STA_UNSYNC : STA_PLL;
	if (adjtimex(&change) < 0) {
		perror("clockstatus");
		return 1;
	}
	return 0;
}

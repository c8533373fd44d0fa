// SPDX-License-Identifier: GPL-2.0
/*
 * The module in one translation unit: the compiler sees who calls what, puts functions with one caller into that,
 * leaves out what never differs, and need not keep names for the linker. It is an eighth to a quarter smaller so.
 * For debugging Kbuild builds the files one by one, so that each stands on its own.
 */
#include "loader.h"

#include "main.c"
#include "parameters.c"
#include "information.c"
#include "ring.c"
#include "ktx.c"
#include "submit.c"
#include "kept.c"
#include "prepare.c"
#include "waiting.c"
#include "launch.c"
#include "stage.c"
#include "spin.c"
#include "xmit.c"
#include "handed.c"
#include "completion.c"
#include "stamp.c"
#include "krx.c"
#include "control.c"
#include "check.c"
#include "entry.c"
#include "rules.c"
#include "tuple.c"
#include "first.c"
#include "hook.c"
#include "filter.c"
#include "capture.c"
#include "edit.c"
#include "frame.c"
#include "react.c"
#include "neighbour.c"

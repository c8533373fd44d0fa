/* SPDX-License-Identifier: MIT */
/*
 * The C floor: the only place where this project sees an operating-system constant, structure or call.
 *
 * Every function takes and returns fixed-width integers and pointers, never a structure by value, so
 * that Swift code translated for another processor calls it correctly. A negative return value is
 * -errno in the numbering of the running target; nothing sets errno for the caller. Times are ns.
 * Addresses in structures are bytes in network order; everything else is in host order.
 *
 * Each header below is one concern, implemented by the .c file of the same name.
 */
#ifndef KTRXER_SYS_H
#define KTRXER_SYS_H

#include "capi_state.h"
#include "sys_clock.h"
#include "sys_device.h"
#include "sys_error.h"
#include "sys_file.h"
#include "sys_inspect.h"
#include "sys_interface.h"
#include "sys_message.h"
#include "sys_module.h"
#include "sys_neighbour.h"
#include "sys_options.h"
#include "sys_packet.h"
#include "sys_process.h"
#include "sys_resolve.h"
#include "sys_route.h"
#include "sys_signal.h"
#include "sys_socket.h"
#include "sys_stream.h"

#endif

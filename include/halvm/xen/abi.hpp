// SPDX-License-Identifier: BSD-3-Clause
// Xen's public headers, included here and nowhere else, at one interface version.
#pragma once

// The newest interface that Debian 12's headers know; Xen keeps older ones working.
#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <cstdint>

#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xen.h>

// SPDX-License-Identifier: BSD-3-Clause
// Xen's public headers, included here and nowhere else, at one interface version.
#pragma once

// The newest interface that Debian 12's headers know; Xen keeps older ones working.
#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <cstdint>

// Xen shows the types that its toolstack's interfaces are made of (tools_abi.hpp) in this one header, to who says so
// before it is first included; the version stays ours, which is settled before.
#include <xen/xen-compat.h>
#define __XEN_TOOLS__
#include <xen/xen.h>
#undef __XEN_TOOLS__

#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

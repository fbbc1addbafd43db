// SPDX-License-Identifier: BSD-3-Clause
// The thread calls of a process, by whoever makes them: the scheduler's thread comes to halvm_own_NAME, where a thread
// is a fiber; any other thread of the process (a sanitizer's, a library's) comes to the C library's function, and so
// does everybody before there is a scheduler. The build takes the list of names from this file.

        .data
        .globl  halvm_scheduler_thread
        .balign 8
halvm_scheduler_thread:                 // 0 before there is a scheduler
        .quad   0

        .text

// in: the call's arguments, left as they are; all of them are in registers. r10 and r11 are free at a call.
.macro interposed name keys=0
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        mov     %fs:0, %r11
        cmp     %r11, halvm_scheduler_thread(%rip)
        jne     1f
.if \keys
        cmp     $1 << 16, %edi          // a key below was made by the C library, for the thread
        jb      1f
.endif
        jmp     halvm_own_\name
1:      lea     2f(%rip), %r11
        jmp     go_to_system
        .size   \name, . - \name

        .pushsection .data.interposed, "aw"
        .balign 8
2:      .quad   0                       // the C library's function, once it was looked for
        .asciz  "\name"
        .popsection
.endm

// in: r11, the record above, beside the arguments of the call.
        .p2align 4
go_to_system:
        mov     (%r11), %r10
        test    %r10, %r10
        jz      3f
        jmp     *%r10
3:      push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %r8
        push    %r9
        push    %r11
        lea     8(%r11), %rdi
        call    halvm_system_function   // seven words and the return address: rsp is a multiple of 16
        pop     %r11
        pop     %r9
        pop     %r8
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        mov     %rax, (%r11)
        jmp     *%rax

        interposed __cxa_guard_abort
        interposed __cxa_guard_acquire
        interposed __cxa_guard_release
        interposed __pthread_key_create
        interposed __pthread_once
        interposed clock_nanosleep
        interposed nanosleep
        interposed pthread_attr_destroy
        interposed pthread_attr_getdetachstate
        interposed pthread_attr_getguardsize
        interposed pthread_attr_getstacksize
        interposed pthread_attr_init
        interposed pthread_attr_setdetachstate
        interposed pthread_attr_setguardsize
        interposed pthread_attr_setstacksize
        interposed pthread_barrier_destroy
        interposed pthread_barrier_init
        interposed pthread_barrier_wait
        interposed pthread_cancel
        interposed pthread_clockjoin_np
        interposed pthread_cond_broadcast
        interposed pthread_cond_clockwait
        interposed pthread_cond_destroy
        interposed pthread_cond_init
        interposed pthread_cond_signal
        interposed pthread_cond_timedwait
        interposed pthread_cond_wait
        interposed pthread_create
        interposed pthread_detach
        interposed pthread_exit
        interposed pthread_getaffinity_np
        interposed pthread_getattr_np
        interposed pthread_getcpuclockid
        interposed pthread_getname_np
        interposed pthread_getschedparam
        interposed pthread_getspecific keys=1
        interposed pthread_join
        interposed pthread_key_create
        interposed pthread_key_delete keys=1
        interposed pthread_kill
        interposed pthread_mutex_clocklock
        interposed pthread_mutex_destroy
        interposed pthread_mutex_init
        interposed pthread_mutex_lock
        interposed pthread_mutex_timedlock
        interposed pthread_mutex_trylock
        interposed pthread_mutex_unlock
        interposed pthread_once
        interposed pthread_rwlock_clockrdlock
        interposed pthread_rwlock_clockwrlock
        interposed pthread_rwlock_destroy
        interposed pthread_rwlock_init
        interposed pthread_rwlock_rdlock
        interposed pthread_rwlock_timedrdlock
        interposed pthread_rwlock_timedwrlock
        interposed pthread_rwlock_tryrdlock
        interposed pthread_rwlock_trywrlock
        interposed pthread_rwlock_unlock
        interposed pthread_rwlock_wrlock
        interposed pthread_self
        interposed pthread_setaffinity_np
        interposed pthread_setname_np
        interposed pthread_setschedparam
        interposed pthread_setspecific keys=1
        interposed pthread_spin_destroy
        interposed pthread_spin_init
        interposed pthread_spin_lock
        interposed pthread_spin_trylock
        interposed pthread_spin_unlock
        interposed pthread_timedjoin_np
        interposed pthread_tryjoin_np
        interposed sched_yield
        interposed sem_clockwait
        interposed sem_destroy
        interposed sem_getvalue
        interposed sem_init
        interposed sem_post
        interposed sem_timedwait
        interposed sem_trywait
        interposed sem_wait
        interposed sleep
        interposed syscall
        interposed usleep

        .section .note.GNU-stack, "", @progbits

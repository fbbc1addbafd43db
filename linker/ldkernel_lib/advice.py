# SPDX-License-Identifier: BSD-3-Clause
"""What to use instead of a call that only an operating system can answer."""

from __future__ import annotations

_GROUPS = {
    "a domain is one program: start another domain from the toolstack": """
        fork vfork _Fork clone execl execlp execle execv execve execvp execvpe fexecve posix_spawn posix_spawnp system
        popen pclose wait waitpid wait3 wait4 waitid daemon setsid getppid""",
    "a domain has no process numbers, users or groups": """
        getpid gettid getuid geteuid getgid getegid setuid setgid seteuid setegid getpwnam getpwuid getpwnam_r
        getpwuid_r getgrnam getgrgid getlogin getgroups setgroups getpgrp setpgid""",
    "there is no network stack in this image": """
        socket socketpair bind listen accept accept4 connect send sendto sendmsg recv recvfrom recvmsg getsockopt
        setsockopt getsockname getpeername shutdown getaddrinfo freeaddrinfo gethostbyname getnameinfo if_nametoindex
        poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait __poll_chk __fdelt_chk""",
    "there is no file system; keep data in the program, or read it from std::cin": """
        open open64 openat openat64 creat stat stat64 lstat lstat64 fstat fstat64 fstatat access faccessat mkdir
        mkdirat rmdir unlink unlinkat rename renameat remove link symlink readlink realpath chdir fchdir getcwd
        opendir fdopendir readdir readdir64 closedir rewinddir telldir seekdir scandir ftw nftw glob truncate
        ftruncate chmod fchmod fchmodat chown fchown utimensat futimens utime utimes statvfs statvfs64 fstatvfs statfs
        fopen fopen64 freopen freopen64 fdopen tmpfile tmpfile64 mkstemp mkdtemp tmpnam sendfile copy_file_range fsync
        fdatasync sync mknod mkfifo chroot mount umount dup dup2 dup3 pipe pipe2 fcntl fcntl64 flock lockf pread
        pread64 pwrite pwrite64 readv writev lseek64 umask pathconf fpathconf __open64_2 __open_2 __openat_2
        __openat64_2 get_current_dir_name""",
    "the console is the only terminal: read std::cin and write std::cout": """
        ioctl tcgetattr tcsetattr ttyname openpty forkpty cfsetispeed cfsetospeed""",
    "nothing interrupts a domain's program; signals do not exist beside abort()": """
        kill sigaction sigprocmask pthread_sigmask pthread_kill sigwait sigtimedwait sigwaitinfo sigsuspend
        sigaltstack sigqueue sigpending alarm setitimer getitimer timer_create timer_settime timer_delete pause ualarm
        signalfd eventfd timerfd_create timerfd_settime signal raise""",
    "memory comes from operator new and malloc; there is nothing to map": """
        mmap mmap64 munmap mprotect mremap madvise msync mlock munlock mlockall munlockall brk sbrk shm_open
        shm_unlink shmget shmat shmdt shmctl memfd_create posix_madvise mincore""",
    "everything is linked into the image: there is nothing to load": "dlopen dlmopen dlsym dlclose dlerror dladdr",
    "a domain does not share its CPU with other programs: there is nothing to schedule or to limit": """
        sched_setscheduler sched_setaffinity sched_getaffinity setpriority getpriority nice getrusage getrlimit
        setrlimit prctl ptrace reboot semget semop semctl msgget msgsnd msgrcv sem_open sem_close mq_open sysinfo""",
    "a thread is asked to stop, and asks whether it should: std::jthread and std::stop_token": "pthread_cancel",
    "the clock belongs to Xen and is set from dom0": "settimeofday clock_settime adjtime stime clock_adjtime",
}

_INSTEAD = {name: cure for cure, names in _GROUPS.items() for name in names.split()}


def instead_of(call: str) -> str:
    """Empty when nothing better is known."""
    return _INSTEAD.get(call, _INSTEAD.get(call.lstrip("_"), ""))

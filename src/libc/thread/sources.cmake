# SPDX-License-Identifier: BSD-3-Clause
# POSIX threads and sleeping over fibers, compiled for either machine: each has its own thread_machine.hpp.
set(HALVM_THREAD_SOURCES
  attributes.cpp
  barrier.cpp
  condition.cpp
  deadline.cpp
  futex.cpp
  key.cpp
  key_values.cpp
  mutex.cpp
  name.cpp
  once.cpp
  parking.cpp
  rwlock.cpp
  semaphore.cpp
  spin.cpp
  thread.cpp
  yield.cpp
  ../time/sleep.cpp)
list(TRANSFORM HALVM_THREAD_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)

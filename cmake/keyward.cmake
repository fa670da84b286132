# The project's own build vocabulary: four verbs, so that every folder's CMakeLists reads as a list of parts.
#
#   kw_library(name SOURCES … [LINK …])        static library, include root is the top of the tree
#   kw_executable(name SOURCES … [LINK …])     service or tool, into <build>/bin
#   kw_plain_executable(name SOURCES … [LINK …])  the same as a release builds it, whatever the preset
#   kw_test(name SOURCES … [LINK …] [LABEL …] [TIMEOUT …])   Criterion binary, registered with CTest
#   kw_fuzz(name [SOURCES …] [LINK …] [REPLAY_ONLY])         fuzz target <name>_fuzz.c over corpus/<name>; see tests/fuzz

set(KW_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  list(APPEND KW_WARNINGS -Wno-gnu-zero-variadic-macro-arguments)
endif()

option(KW_FUZZ "Build the fuzz targets for libFuzzer, and nothing else of the tests (clang)" OFF)

# Hardening is on in every build; what sanitizers clash with, or make pointless, where there are none: _FORTIFY_SOURCE needs
# optimisation, too.
set(KW_HARDEN -fstack-protector-strong -fno-common -fPIE)
set(KW_HARDEN_RELEASE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection)
set(KW_HARDEN_LINK -pie -Wl,-z,relro,-z,now,-z,noexecstack)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND KW_HARDEN_RELEASE -fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  list(APPEND KW_HARDEN_RELEASE -mbranch-protection=standard)
endif()

# Counters of what was executed, in our product code alone: a test that ran proves nothing about itself.
function(kw_count_execution target)
  if(NOT KW_COVERAGE)
    return()
  endif()
  if(CMAKE_CURRENT_SOURCE_DIR MATCHES "^${CMAKE_SOURCE_DIR}/(common|services)")
    target_compile_options(${target} PRIVATE --coverage -fprofile-update=atomic)
    target_compile_definitions(${target} PRIVATE KW_COVERAGE)
  endif()
  target_link_options(${target} PUBLIC --coverage)
endfunction()

# Places of the services that can be made to fail, for builds that are tested and never shipped (common/base/fault.h).
function(kw_plant_faults target)
  if(KW_FAULTS AND CMAKE_CURRENT_SOURCE_DIR MATCHES "^${CMAKE_SOURCE_DIR}/(services|common/feed_service)")
    target_compile_definitions(${target} PRIVATE KW_FAULTS)
    target_compile_options(${target} PRIVATE -include ${CMAKE_SOURCE_DIR}/common/base/fault_memory.h)
  endif()
endfunction()

# A program that ends by _exit writes its counters too.
function(kw_count_at_exit target)
  if(KW_COVERAGE)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/coverage_exit.c)
  endif()
endfunction()

function(kw_common_options target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE KW_VERSION="${PROJECT_VERSION}")
  # -UNDEBUG: an assert guards against a bug of ours, and a release has bugs too.
  target_compile_options(${target} PRIVATE ${KW_WARNINGS} ${KW_HARDEN} -Werror -UNDEBUG
                                           -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
  kw_count_execution(${target})
  kw_plant_faults(${target})
  if(KW_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(KW_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${KW_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${KW_SANITIZE})
  elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_options(${target} PRIVATE ${KW_HARDEN_RELEASE})
  endif()
endfunction()

function(kw_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  kw_common_options(${name})
  target_link_libraries(${name} PUBLIC ${A_LINK})
endfunction()

function(kw_executable name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  kw_common_options(${name})
  kw_count_at_exit(${name})
  target_link_options(${name} PRIVATE ${KW_HARDEN_LINK})
  target_link_libraries(${name} PRIVATE ${A_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# For tests of what sanitizers bend: memory, system calls, the flags themselves. Takes sources, no library of ours.
function(kw_plain_executable name)
  set(KW_SANITIZE "")
  set(KW_COVERAGE OFF)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
  kw_executable(${name} ${ARGN})
  target_compile_options(${name} PRIVATE -O2)
endfunction()

function(kw_test name)
  cmake_parse_arguments(A "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT A_LABEL)
    set(A_LABEL unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  if(KW_PLAIN_RUNNER) # under an instrument
    math(EXPR A_TIMEOUT "${A_TIMEOUT} * 10")
  endif()
  add_executable(${name} ${A_SOURCES})
  kw_common_options(${name})
  kw_count_at_exit(${name})
  if(KW_FAULTS)
    target_compile_definitions(${name} PRIVATE KW_FAULTS_PLANTED)
  endif()
  if(KW_PLAIN_RUNNER)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/plain_runner.c)
  endif()
  # Criterion's macros declare what they define, shadow freely and take char *: its headers are not held to our prototypes rule.
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes -Wno-shadow -Wno-pedantic
                                         -Wno-switch-enum -Wno-conversion -Wno-sign-conversion -Wno-write-strings)
  target_link_libraries(${name} PRIVATE ${A_LINK} criterion)
  target_compile_definitions(${name} PRIVATE KW_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             KW_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/criterion.sh $<TARGET_FILE:${name}>)
  set_tests_properties(${name} PROPERTIES LABELS ${A_LABEL} TIMEOUT ${A_TIMEOUT}
                       ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# Under KW_FUZZ a libFuzzer binary <build>/fuzz/<name>_fuzz. In any other build the same target replays its corpus and
# sweeps boundary values over the honest files of it (REPLAY_ONLY: no sweep), as test fuzz_<name>; and, labelled slow,
# fuzz_run_<name> runs the libFuzzer binary for a minute, which `./run test --full` has built.
function(kw_fuzz name)
  cmake_parse_arguments(A "REPLAY_ONLY" "" "SOURCES;LINK" ${ARGN})
  set(target ${name}_fuzz)
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  add_executable(${target} ${target}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz.c ${A_SOURCES})
  kw_common_options(${target})
  target_compile_definitions(${target} PRIVATE KW_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${A_LINK} kw_base)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(KW_FUZZ)
    target_compile_definitions(${target} PRIVATE KW_FUZZ_ENGINE)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_main.c)
  set(lengths --lengths)
  if(A_REPLAY_ONLY)
    set(lengths)
  endif()
  add_test(NAME fuzz_${name} COMMAND ${target} ${lengths} ${corpus})
  set_tests_properties(fuzz_${name} PROPERTIES LABELS unit TIMEOUT 120)
  add_test(NAME fuzz_run_${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/fuzz/run.sh ${name})
  set_tests_properties(fuzz_run_${name} PROPERTIES LABELS slow TIMEOUT 600)
endfunction()

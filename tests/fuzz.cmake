# The fuzz targets, tests/fuzz/fuzz_<target>.c, of which the program is fuzz-<target>. They need
# libFuzzer, and with it clang and a build directory of their own: tests/fuzz.sh makes one and runs
# them; in other builds that script is the test.
option(FUZZ "Build the fuzz targets, with clang's libFuzzer and sanitizers" OFF)

if(NOT FUZZ)
    add_test(NAME fuzz COMMAND ${CMAKE_CURRENT_LIST_DIR}/fuzz.sh)
    # It takes no more than what the tests beside it leave, but that of all processors, for minutes.
    set_tests_properties(fuzz PROPERTIES TIMEOUT 7200 COST 300 SKIP_RETURN_CODE 77
        ENVIRONMENT "FUZZ_BUILD=${CMAKE_BINARY_DIR}/fuzz")
    return()
endif()

if(NOT CMAKE_C_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
endif()

# The libraries are watched as well: what they branch on guides the fuzzer. FORTIFY_SOURCE's checks
# would hide accesses from the address sanitizer.
target_compile_options(project_options INTERFACE -g -O1 -fno-omit-frame-pointer -U_FORTIFY_SOURCE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
target_link_options(project_options INTERFACE -fsanitize=address,undefined)

add_custom_target(fuzzers)
file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_targets)
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE fuzz_ fuzz- name ${name})
    add_executable(${name} EXCLUDE_FROM_ALL ${source} ${CMAKE_CURRENT_LIST_DIR}/fuzz/fuzz.c)
    target_link_libraries(${name} PRIVATE finalize settings PkgConfig::JANSSON)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
endforeach()

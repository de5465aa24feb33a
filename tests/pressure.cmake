# Pressure on the machine, security, and one run under valgrind.

add_library(swap-at MODULE ${CMAKE_CURRENT_LIST_DIR}/swap_at.c)
target_compile_definitions(swap-at PRIVATE _GNU_SOURCE)
# Not project_options: a preloaded library is no program, and never has the sanitizers in it.
target_compile_options(swap-at PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 $<$<BOOL:${WARNINGS_ARE_ERRORS}>:-Werror>)
set_target_properties(swap-at PROPERTIES PREFIX "")

foreach(name pressure security)
    add_e2e_test(e2e_${name})
    set_tests_properties(e2e_${name} PROPERTIES LABELS ${name} FIXTURES_REQUIRED e2e_server)
endforeach()

# Valgrind can't run a program that has the sanitizers in it.
if(NOT SANITIZE)
    add_e2e_test(valgrind)
    set_tests_properties(valgrind PROPERTIES LABELS valgrind FIXTURES_REQUIRED e2e_server)
endif()

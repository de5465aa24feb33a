# Killed and stopped at every instant, and run again.
add_library(kill-at MODULE ${CMAKE_CURRENT_LIST_DIR}/kill_at.c)
target_compile_definitions(kill-at PRIVATE _GNU_SOURCE)
# Not project_options: a preloaded library is no program, and never has the sanitizers in it.
target_compile_options(kill-at PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 $<$<BOOL:${WARNINGS_ARE_ERRORS}>:-Werror>)
target_link_libraries(kill-at PRIVATE Threads::Threads)
set_target_properties(kill-at PROPERTIES PREFIX "")

foreach(name crash_sweep stop_resume)
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/${name}.sh)
    set_tests_properties(${name} PROPERTIES LABELS crash TIMEOUT 900
        ENVIRONMENT "E2E_BUILD=${CMAKE_BINARY_DIR}" COST 50 SKIP_RETURN_CODE 77
        FIXTURES_REQUIRED e2e_server)
endforeach()

# The stand-in for the ConfOMeet backend: tests run it as ${CMAKE_BINARY_DIR}/tests/backend-stand-in.
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.72)
add_executable(backend-stand-in ${CMAKE_CURRENT_LIST_DIR}/backend.c)
target_link_libraries(backend-stand-in PRIVATE project_options PkgConfig::MICROHTTPD
    PkgConfig::JANSSON)

add_test(NAME backend_stand_in
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/backend.sh $<TARGET_FILE:backend-stand-in>)
set_tests_properties(backend_stand_in PROPERTIES TIMEOUT 120)

# Compiler flags and cache shared by every target. The linker is the system's: mold 1.10 was seen to write programs that
# the loader refuses ("cannot apply additional memory protection after relocation").
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# Bit-equality of a kernel with its reference, on every instruction set, needs contraction off (no silent fused
# multiply-add); sqrt may otherwise set errno, which alone stops vectorization.
add_compile_options(-ffp-contract=off -fno-math-errno -Wall -Wextra -Wshadow -Wno-unused-parameter)
if(DETENT_CORE)
  # Warnings take a tenth of the compiler's time, and every other preset gives them; another seventh goes into GCC's
  # collecting of garbage where its heap may not grow.
  add_compile_options(-w $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=1000000>)
elseif(DETENT_WERROR)
  add_compile_options(-Werror)
endif()
if(DETENT_SANITIZE)
  # GCC 12 reports uninitialized reads inside its own <regex> and <functional> once sanitizers instrument them.
  add_compile_options(-fsanitize=${DETENT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_link_options(-fsanitize=${DETENT_SANITIZE})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# LibTorch from the PyPI wheel. find_package(Torch) fails on that wheel without a CUDA toolkit, and all that detent
# needs are two include folders and two libraries. Looked for in DETENT_TORCH_DIR, then in the project's .venv.
set(DETENT_TORCH_DIR "$ENV{DETENT_TORCH_DIR}" CACHE PATH "folder of the torch package (holds include/ and lib/)")
set(_torch_dir ${DETENT_TORCH_DIR})
if(NOT _torch_dir)
  file(GLOB _torch_candidates ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  list(GET _torch_candidates 0 _torch_dir)
endif()
find_library(LIBTORCH_CPU torch_cpu PATHS ${_torch_dir}/lib NO_DEFAULT_PATH)
find_library(LIBTORCH_C10 c10 PATHS ${_torch_dir}/lib NO_DEFAULT_PATH)
if(EXISTS ${_torch_dir}/version.py)
  file(STRINGS ${_torch_dir}/version.py _torch_version REGEX "^__version__ = ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_torch_version}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LIBTORCH_CPU LIBTORCH_C10 VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run ./run build, which installs the wheel into .venv, or set DETENT_TORCH_DIR")
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    ${_torch_dir}/include ${_torch_dir}/include/torch/csrc/api/include)
  target_link_libraries(LibTorch::LibTorch INTERFACE ${LIBTORCH_CPU} ${LIBTORCH_C10} Threads::Threads)
  target_link_options(LibTorch::LibTorch INTERFACE -Wl,-rpath,${_torch_dir}/lib)
  # at::parallel_for is a header template that runs on one thread, silently, unless OpenMP is on where it is compiled.
  # The runtime is the wheel's own: a second one would bring a second pool of threads.
  find_library(LIBTORCH_GOMP NAMES libgomp.so.1 PATHS ${_torch_dir}/lib NO_DEFAULT_PATH REQUIRED)
  target_compile_options(LibTorch::LibTorch INTERFACE -fopenmp)
  target_link_libraries(LibTorch::LibTorch INTERFACE ${LIBTORCH_GOMP})
endif()

# The wheel carries headers of another fmt than the packaged library that detent links: the packaged ones come first.
find_path(DETENT_FMT_INCLUDE fmt/core.h PATHS /usr/include NO_DEFAULT_PATH)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/fmt_first)
file(CREATE_LINK ${DETENT_FMT_INCLUDE}/fmt ${PROJECT_BINARY_DIR}/fmt_first/fmt SYMBOLIC)
target_include_directories(LibTorch::LibTorch BEFORE INTERFACE ${PROJECT_BINARY_DIR}/fmt_first)

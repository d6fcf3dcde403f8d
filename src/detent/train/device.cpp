#include "detent/train/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>

#include "detent/base/error.h"

namespace detent {

namespace {

constexpr const char* kDriver = "libcuda.so.1";

// NVIDIA's driver API (cuda.h), as much of it as tells whether there is a GPU: loading LibTorch's CUDA half takes
// seconds and hundreds of megabytes, which a machine without one need not spend.
class Driver {
 public:
  explicit Driver(void* library) : library_(library) {}

  // The driver's error, 0 for none.
  int start() const { return call<int(unsigned)>("cuInit", 0u); }
  int devices() const {
    int count = 0;
    return call<int(int*)>("cuDeviceGetCount", &count) == 0 ? count : 0;
  }
  std::string name() const {
    char text[256] = "";
    return call<int(char*, int, int)>("cuDeviceGetName", text, 255, 0) == 0 ? text : "";
  }
  double memory_bytes() const {
    size_t bytes = 0;
    return call<int(size_t*, int)>("cuDeviceTotalMem_v2", &bytes, 0) == 0 ? static_cast<double>(bytes) : 0;
  }

 private:
  template <class Function, class... Arguments>
  int call(const char* function, Arguments... arguments) const {
    constexpr int kNotFound = 500;  // CUDA_ERROR_NOT_FOUND
    auto* found = reinterpret_cast<Function*>(dlsym(library_, function));
    return found ? found(arguments...) : kNotFound;
  }
  void* library_;
};

// Beside the half that is loaded, which need not be where the program was built.
std::string cuda_half() {
  Dl_info info{};
  const bool found = dladdr(reinterpret_cast<void*>(&at::globalContext), &info) != 0 && info.dli_fname;
  return (found ? std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so" : "libtorch_cuda.so")
      .string();
}

Cuda look_for_cuda() {
  Cuda cuda;
  void* library = dlopen(kDriver, RTLD_NOW);
  if (!library) {
    cuda.missing = fmt::format("there is no NVIDIA driver here ({} is not found)", kDriver);
    cuda.fix = "run it on a machine with an NVIDIA GPU and its driver";
    return cuda;
  }
  const Driver driver(library);
  const int error = driver.start();
  if (error != 0 || driver.devices() < 1) {
    cuda.missing = fmt::format("NVIDIA's driver shows no GPU (error {})", error);
    cuda.fix = "see what nvidia-smi says, and CUDA_VISIBLE_DEVICES";
    return cuda;
  }
  cuda.name = driver.name();
  cuda.memory_bytes = driver.memory_bytes();
  cuda.fix = "install torch 2.11.0 from PyPI with all packages it depends on";
  if (!dlopen(cuda_half().c_str(), RTLD_NOW | RTLD_GLOBAL))
    cuda.missing = fmt::format("LibTorch's CUDA half cannot be loaded ({})", dlerror());
  else if (!at::hasCUDA())
    cuda.missing = fmt::format("LibTorch's CUDA half cannot use the GPU {}", cuda.name);
  cuda.usable = cuda.missing.empty();
  return cuda;
}

}  // namespace

const Cuda& find_cuda() {
  static const Cuda cuda = look_for_cuda();
  return cuda;
}

at::Device training_device(const std::string& wanted) {
  if (wanted == "cpu") return at::kCPU;
  const Cuda& cuda = find_cuda();
  if (cuda.usable) return {at::kCUDA, 0};
  if (wanted == "cuda")
    fail_machine("train.device is cuda, but {}; {}, or set train.device: cpu", cuda.missing, cuda.fix);
  return at::kCPU;
}

std::string device_name(const at::Device& device) {
  return device.is_cuda() ? fmt::format("{} ({})", device.str(), find_cuda().name) : device.str();
}

}  // namespace detent

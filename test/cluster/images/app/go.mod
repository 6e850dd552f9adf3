module ktail.test/app

go 1.25
